// What a MusicGen checkpoint says of itself: config.json and generation_config.json.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "models/t5/config.h"
#include "nn/activation.h"

namespace grym {

// What the decoder needs to know of the EnCodec beside it. Defaults are those of transformers 5.23 (EncodecConfig).
struct MusicgenCodec {
  int64_t rate_hz = 24000;
  int64_t channels = 1;
  int64_t codebook_size = 1024;
  int64_t hop_frames = 320;    // samples of a channel for one code of each book: the product of upsampling_ratios
  double bandwidth_kbps = 24;  // the last of target_bandwidths
  Json json;                   // the whole subtree as it stands

  // Codes of each book in a second: sampling_rate / hop, rounded up.
  int64_t frames_per_second() const { return (rate_hz + hop_frames - 1) / hop_frames; }
  // Codebooks that the checkpoint's quantiser has (EncodecConfig.num_quantizers).
  int64_t books() const;
};

// What generation_config.json sets; defaults are those of transformers 5.23 where that file says nothing.
struct MusicgenGeneration {
  double guidance_scale = 1;  // up to 1: no guidance
  bool do_sample = false;
  int64_t top_k = 50;  // 0: all codes
  double top_p = 1, temperature = 1;
  int64_t max_length = 20;  // steps of a run, the start's included
};

// Defaults are those of transformers 5.23 (MusicgenDecoderConfig, MusicgenMelodyDecoderConfig). scale_embedding is read
// and changes nothing, as there.
struct MusicgenConfig {
  bool melody = false;  // model_type musicgen_melody: the conditioning stands before the codes, not beside them
  T5Config text;
  MusicgenCodec codec;

  int64_t vocab_size = 2048;  // codes of a book; each embedding has one row more, for the start and padding
  int64_t hidden = 1024, layers = 24, ffn = 4096, heads = 16;
  Activation activation = Activation::kGelu;
  bool scale_embedding = false;
  int64_t books = 4;           // of all channels together
  int64_t audio_channels = 1;  // 2: the books of left and right take turns
  int64_t max_positions = 2048;  // the table's length in the reference, which grows where it is too short
  int64_t start_id = 2048, pad_id = 2048;
  int64_t chroma_bins = 12, chroma_length = 235;  // melody alone

  MusicgenGeneration generation;
  std::vector<std::string> unknown_fields;
  Json resolved;  // every field in use, given or default

  int64_t head_dim() const { return hidden / heads; }
  // The text encoder's states go through enc_to_dec_proj, chroma through audio_enc_to_dec_proj.
  bool projects_text() const { return text.d_model != hidden; }
  bool projects_chroma() const { return melody && chroma_bins != hidden; }
  int64_t books_per_channel() const { return books / audio_channels; }
};

// config.json. InvalidArgument (code "bad_config") with every field that is wrong, or the text encoder's.
absl::StatusOr<MusicgenConfig> ReadMusicgenConfig(const Json& json, const std::string& where);
// generation_config.json over what ReadMusicgenConfig gave; `json` is an empty object where the folder has none. Checks
// that start and padding are the one id that is no code.
absl::Status ReadMusicgenGeneration(const Json& json, const std::string& where, MusicgenConfig& config);

}  // namespace grym
