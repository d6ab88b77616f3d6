#include "models/musicgen/config.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "runtime/packed_copy.h"

namespace grym {
namespace {

constexpr int64_t kWidestHidden = 65'536;

void Disagree(ConfigReader& fields, const char* name, const std::string& wanted, int64_t got) {
  fields.Contradiction(name, Formatted("want %s, got %d", wanted.c_str(), got));
}

// Numbers that need not be whole, which ConfigReader has no list for: answers the last one.
void ReadLastBandwidth(ConfigReader& fields, const Json& list, double* kbps) {
  if (list.is_null()) return;
  bool right = list.is_array() && list.size() > 0 && list.size() <= 64;
  for (const Json& item : list.items()) {
    right = right && item.is_number() && item.number() > 0 && item.number() <= 1e6;
  }
  if (right) *kbps = list.items().back().number();
  if (!right) fields.Contradiction("target_bandwidths", "want 1 to 64 positive numbers, got something else");
}

void ReadCodec(ConfigReader& fields, const Json& json, MusicgenCodec& codec) {
  std::vector<int64_t> ratios = {8, 5, 4, 2};
  std::string type = "encodec";
  fields.Text("model_type", &type, {.choices = {"encodec"}});
  fields.Int("sampling_rate", &codec.rate_hz, {.minimum = 1000, .maximum = 768'000});
  fields.Int("audio_channels", &codec.channels, {.minimum = 1, .maximum = 32});
  fields.Int("codebook_size", &codec.codebook_size, {.minimum = 2, .maximum = 1 << 20});
  fields.IntList("upsampling_ratios", &ratios, {.minimum = 1, .maximum = 4096, .shortest = 1, .longest = 16});
  fields.Ignore({"target_bandwidths", "architectures", "transformers_version", "dtype", "torch_dtype", "normalize",
                 "chunk_length_s", "overlap", "hidden_size", "num_filters", "num_residual_layers", "norm_type",
                 "kernel_size", "last_kernel_size", "residual_kernel_size", "dilation_growth_rate", "use_causal_conv",
                 "pad_mode", "compress", "num_lstm_layers", "trim_right_ratio", "codebook_dim", "use_conv_shortcut"});
  ReadLastBandwidth(fields, json.at("target_bandwidths"), &codec.bandwidth_kbps);
  codec.hop_frames = 1;
  for (const int64_t ratio : ratios) codec.hop_frames = std::min<int64_t>(codec.hop_frames * ratio, int64_t{1} << 40);
  if (codec.hop_frames > codec.rate_hz) {
    Disagree(fields, "upsampling_ratios", Formatted("a product up to sampling_rate %d", codec.rate_hz),
             codec.hop_frames);
  }
}

void ReadDecoder(ConfigReader& fields, MusicgenConfig& config) {
  std::string type = config.melody ? "musicgen_melody_decoder" : "musicgen_decoder", activation = "gelu";
  const std::string wanted_type = type;
  const size_t before = fields.problem_count();
  fields.Text("model_type", &type, {.choices = {wanted_type}});
  fields.Int("vocab_size", &config.vocab_size, {.minimum = 2, .maximum = 1 << 20});
  fields.Int("hidden_size", &config.hidden, {.minimum = 4, .maximum = kWidestHidden});
  fields.Int("num_hidden_layers", &config.layers, {.minimum = 1, .maximum = 1024});
  fields.Int("ffn_dim", &config.ffn, {.minimum = 1, .maximum = 4 * kWidestHidden});
  fields.Int("num_attention_heads", &config.heads, {.minimum = 1, .maximum = 1024});
  fields.Text("activation_function", &activation,
              {.choices = std::vector<std::string>(std::begin(kActivationNames), std::end(kActivationNames))});
  fields.Bool("scale_embedding", &config.scale_embedding);
  fields.Int("num_codebooks", &config.books, {.minimum = 1, .maximum = 64});
  fields.Int("audio_channels", &config.audio_channels, {.minimum = 1, .maximum = 2});
  fields.Int("max_position_embeddings", &config.max_positions, {.minimum = 1, .maximum = 1 << 20});
  // Files are known that say -1 for none: judged with generation_config.json, which may name others.
  fields.Int("bos_token_id", &config.start_id, {.minimum = -1, .maximum = 1 << 20});
  fields.Int("pad_token_id", &config.pad_id, {.minimum = -1, .maximum = 1 << 20});
  std::optional<int64_t> cross_width;
  fields.OptionalInt("cross_attention_hidden_size", &cross_width, {.minimum = 1, .maximum = kWidestHidden});
  fields.Ignore({"architectures", "transformers_version", "dtype", "torch_dtype", "layerdrop", "use_cache", "dropout",
                 "attention_dropout", "activation_dropout", "initializer_factor", "eos_token_id",
                 "tie_word_embeddings", "is_decoder", "is_encoder_decoder", "add_cross_attention", "_name_or_path"});
  if (fields.problem_count() > before) return;
  config.activation = ActivationOf(activation);
  if (config.hidden % config.heads != 0) {
    Disagree(fields, "hidden_size", Formatted("a multiple of num_attention_heads %d", config.heads), config.hidden);
  }
  if (config.books % config.audio_channels != 0) {
    Disagree(fields, "num_codebooks", "an even number for two audio_channels", config.books);
  }
  // With it the reference leaves the projection out, and then its own keys fit no other width.
  if (cross_width && *cross_width != config.hidden) {
    Disagree(fields, "cross_attention_hidden_size", Formatted("null or hidden_size %d", config.hidden), *cross_width);
  }
}

// The decoder against its EnCodec.
void CheckBooks(ConfigReader& decoder, ConfigReader& audio, const MusicgenConfig& config) {
  const int64_t wanted = config.books_per_channel(), there = config.codec.books();
  if (wanted > there) {
    Disagree(decoder, "num_codebooks",
             Formatted("at most %d for each of %d channels, which is what audio_encoder has at %g kbit/s", there,
                       config.audio_channels, config.codec.bandwidth_kbps),
             config.books);
  }
  if (config.vocab_size != config.codec.codebook_size) {
    Disagree(decoder, "vocab_size", Formatted("audio_encoder's codebook_size %d", config.codec.codebook_size),
             config.vocab_size);
  }
  if (config.codec.channels != 1) {
    Disagree(audio, "audio_channels", "1: each channel of music is coded by itself", config.codec.channels);
  }
}

}  // namespace

int64_t MusicgenCodec::books() const {
  const int64_t bits = std::bit_width(static_cast<uint64_t>(codebook_size - 1));
  return static_cast<int64_t>(std::floor(1000 * bandwidth_kbps / static_cast<double>(frames_per_second() * bits)));
}

absl::StatusOr<MusicgenConfig> ReadMusicgenConfig(const Json& json, const std::string& where) {
  MusicgenConfig config;
  ConfigReader whole(json, where);
  std::string type = "musicgen";
  whole.Text("model_type", &type, {.choices = {"musicgen", "musicgen_melody"}});
  config.melody = type == "musicgen_melody";
  whole.Ignore({"architectures", "transformers_version", "dtype", "torch_dtype", "text_encoder", "is_encoder_decoder",
                "initializer_factor", "tie_encoder_decoder", "_name_or_path", kPackedCopyMember});
  if (config.melody) {
    whole.Int("num_chroma", &config.chroma_bins, {.minimum = 1, .maximum = 4096});
    whole.Int("chroma_length", &config.chroma_length, {.minimum = 1, .maximum = 1 << 16});
  }
  ConfigReader& audio = whole.Nested("audio_encoder");
  ConfigReader& decoder = whole.Nested("decoder");
  ReadCodec(audio, json.at("audio_encoder"), config.codec);
  ReadDecoder(decoder, config);
  if (whole.problem_count() == 0) CheckBooks(decoder, audio, config);
  GRYM_RETURN_IF_ERROR(whole.Finish());
  const Json& text = json.at("text_encoder");
  GRYM_ASSIGN_OR_RETURN(config.text, T5Config::Parse(text.is_null() ? Json::Object() : text, where + "/text_encoder"));
  config.codec.json = json.at("audio_encoder");
  config.unknown_fields = whole.UnknownFields();
  for (const std::string& name : config.text.unknown_fields) config.unknown_fields.push_back("text_encoder/" + name);
  config.resolved = whole.Resolved();
  config.resolved["text_encoder"] = config.text.resolved;
  return config;
}

absl::Status ReadMusicgenGeneration(const Json& json, const std::string& where, MusicgenConfig& config) {
  MusicgenGeneration& generation = config.generation;
  ConfigReader fields(json, where);
  // Where it names none, the start is bos_token_id.
  fields.Int("bos_token_id", &config.start_id, {.minimum = -1, .maximum = 1 << 20});
  fields.Int("decoder_start_token_id", &config.start_id, {.minimum = -1, .maximum = 1 << 20});
  fields.Int("pad_token_id", &config.pad_id, {.minimum = -1, .maximum = 1 << 20});
  fields.Number("guidance_scale", &generation.guidance_scale, {.minimum = -100, .maximum = 100});
  fields.Bool("do_sample", &generation.do_sample);
  fields.Int("top_k", &generation.top_k, {.minimum = 0, .maximum = 1 << 20});
  fields.Number("top_p", &generation.top_p, {.minimum = 0, .maximum = 1});
  fields.Number("temperature", &generation.temperature, {.minimum = 0, .maximum = 1000});
  fields.Int("max_length", &generation.max_length, {.minimum = 1, .maximum = 1 << 20});
  // Every other row is a code, and none stands beyond: the reference drops from a result whatever equals the padding.
  const auto no_code = [&](const char* name, int64_t id) {
    if (id == config.vocab_size) return;
    Disagree(fields, name, Formatted("vocab_size %d, the one id that is no code", config.vocab_size), id);
  };
  no_code("decoder_start_token_id", config.start_id);
  no_code("pad_token_id", config.pad_id);
  return fields.Finish();
}

}  // namespace grym
