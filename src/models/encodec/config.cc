#include "models/encodec/config.h"

#include <cmath>
#include <optional>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {
namespace {

void ReadFields(ConfigReader& reader, EncodecConfig& config) {
  reader.Int("sampling_rate", &config.sampling_rate, {.minimum = 1000, .maximum = 768000});
  reader.Int("audio_channels", &config.audio_channels, {.minimum = 1, .maximum = 2});
  reader.Int("hidden_size", &config.hidden_size, {.minimum = 1, .maximum = 16384});
  reader.Int("num_filters", &config.num_filters, {.minimum = 1, .maximum = 4096});
  reader.Int("num_residual_layers", &config.num_residual_layers, {.minimum = 1, .maximum = 8});
  reader.IntList("upsampling_ratios", &config.upsampling_ratios,
                 {.minimum = 1, .maximum = 64, .shortest = 1, .longest = 8});
  reader.Int("kernel_size", &config.kernel_size, {.minimum = 1, .maximum = 63});
  reader.Int("last_kernel_size", &config.last_kernel_size, {.minimum = 1, .maximum = 63});
  reader.Int("residual_kernel_size", &config.residual_kernel_size, {.minimum = 1, .maximum = 63});
  reader.Int("dilation_growth_rate", &config.dilation_growth_rate, {.minimum = 1, .maximum = 16});
  reader.Bool("use_causal_conv", &config.use_causal_conv);
  reader.Int("compress", &config.compress, {.minimum = 1, .maximum = 64});
  reader.Int("num_lstm_layers", &config.num_lstm_layers, {.minimum = 1, .maximum = 16});
  reader.Number("trim_right_ratio", &config.trim_right_ratio, {.minimum = 0, .maximum = 1});
  reader.Int("codebook_size", &config.codebook_size, {.minimum = 2, .maximum = 1 << 20});
  reader.Bool("use_conv_shortcut", &config.use_conv_shortcut);
  std::optional<int64_t> dim;
  reader.OptionalInt("codebook_dim", &dim, {.minimum = 1, .maximum = 16384});
  config.codebook_dim = dim.value_or(config.hidden_size);
  std::string pad = "reflect";
  reader.Text("pad_mode", &pad, {.choices = {"reflect", "constant", "replicate"}});
  config.pad_mode = pad == "constant"    ? EncodecPad::kConstant
                    : pad == "replicate" ? EncodecPad::kReplicate
                                         : EncodecPad::kReflect;
}

void ReadBandwidths(ConfigReader& reader, const Json& json, EncodecConfig& config) {
  // The reader has no lists of numbers.
  reader.Ignore({"target_bandwidths"});
  if (!reader.Has("target_bandwidths")) return;
  const Json& list = json.at("target_bandwidths");
  bool right = !list.items().empty() && list.size() <= 64;
  config.target_bandwidths.clear();
  for (const Json& item : list.items()) {
    right = right && item.is_number() && item.number() > 0 && item.number() <= 10000;
    config.target_bandwidths.push_back(item.number());
  }
  if (right) return;
  config.target_bandwidths = {1};
  reader.Contradiction("target_bandwidths",
                       "want a list of 1 to 64 numbers in (0, 10000], got " + list.Dump().substr(0, 100));
}

void CheckTogether(ConfigReader& reader, const EncodecConfig& config) {
  // 2^20 samples for a frame and 2^16 channels keep all sizes within 64 bits, and are far from any codec.
  if (config.hop() > (int64_t{1} << 20)) {
    reader.Contradiction("upsampling_ratios", Formatted("want a product of at most %d, got %d", int64_t{1} << 20,
                                                        config.hop()));
  }
  if (config.channels(0) > (int64_t{1} << 16)) {
    reader.Contradiction("num_filters", Formatted("want at most %d after %d doublings, got %d", int64_t{1} << 16,
                                                  config.levels(), config.channels(0)));
  }
  if (config.num_filters < config.compress) {
    reader.Contradiction("compress", Formatted("want at most num_filters %d, got %d", config.num_filters,
                                               config.compress));
  }
  if ((config.codebook_size & (config.codebook_size - 1)) != 0) {
    reader.Contradiction("codebook_size", Formatted("want a power of 2, got %d", config.codebook_size));
  }
  if (config.codebook_dim != config.hidden_size) {
    reader.Contradiction("codebook_dim", Formatted("want hidden_size %d, got %d", config.hidden_size,
                                                   config.codebook_dim));
  }
  if (!config.use_causal_conv && config.trim_right_ratio != 1) {
    reader.Contradiction("trim_right_ratio", Formatted("want 1 without use_causal_conv, got %g",
                                                       config.trim_right_ratio));
  }
  const double reach = std::pow(static_cast<double>(config.dilation_growth_rate),
                                static_cast<double>(config.num_residual_layers - 1));
  if (config.num_residual_layers > 1 && reach > 1024) {
    reader.Contradiction("dilation_growth_rate", Formatted("want a dilation of at most 1024 in the last residual "
                                                           "layer, got %g", reach));
  }
  const int64_t books = config.books();
  if (books < 1 || books > 1024) {
    reader.Contradiction("target_bandwidths", Formatted("want 1 to 1024 codebooks for the largest, got %d", books));
  }
}

}  // namespace

int64_t EncodecConfig::hop() const {
  int64_t product = 1;
  for (const int64_t ratio : upsampling_ratios) product *= ratio;
  return product;
}

int64_t EncodecConfig::frame_rate() const { return (sampling_rate + hop() - 1) / hop(); }

int64_t EncodecConfig::books() const {
  int64_t bits = 0;
  while ((int64_t{1} << bits) < codebook_size) ++bits;
  // Python's floor division of the same two numbers.
  const double rate = 1000 * target_bandwidths.back(), each = static_cast<double>(frame_rate() * bits);
  return static_cast<int64_t>((rate - std::fmod(rate, each)) / each + 0.5);
}

absl::StatusOr<EncodecConfig> EncodecConfig::Parse(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  EncodecConfig config;
  ReadFields(reader, config);
  ReadBandwidths(reader, json, config);
  bool normalize = false;
  std::optional<double> chunk_length_s, overlap;
  std::string norm = "weight_norm";
  reader.Bool("normalize", &normalize);
  reader.OptionalNumber("chunk_length_s", &chunk_length_s, {.minimum = 0, .maximum = 86400});
  reader.OptionalNumber("overlap", &overlap, {.minimum = 0, .maximum = 1});
  reader.Text("norm_type", &norm, {.choices = {"weight_norm", "time_group_norm"}});
  if (reader.problem_count() == 0) CheckTogether(reader, config);
  reader.Ignore({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "_name_or_path",
                 "kmeans_init", "kmeans_iters", "threshold_ema_dead_code", "decay", "activation",
                 "activation_params"});
  GRYM_RETURN_IF_ERROR(reader.Finish());
  const char* other = chunk_length_s ? "chunk_length_s" : normalize ? "normalize"
                      : norm == "time_group_norm"                   ? "norm_type" : nullptr;
  if (other) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
                 Formatted("%s: \"%s\": want a codec of one piece (chunk_length_s null, normalize false, norm_type "
                           "\"weight_norm\"), got one in chunks with a loudness each, as facebook/encodec_48khz is",
                           where.c_str(), other));
  }
  config.unknown_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  return config;
}

}  // namespace grym
