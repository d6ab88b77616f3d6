// What the config of an EnCodec says.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// How a convolution's input goes on beyond its ends.
enum class EncodecPad { kReflect, kConstant, kReplicate };

// Defaults are those of transformers 5.23, configuration_encodec.py.
struct EncodecConfig {
  std::vector<double> target_bandwidths = {1.5, 3, 6, 12, 24};  // kbit/s
  int64_t sampling_rate = 24000;
  int64_t audio_channels = 1;
  int64_t hidden_size = 128;   // of a frame's code before it is quantised
  int64_t num_filters = 32;    // of the outermost layers; each level doubles them
  int64_t num_residual_layers = 1;
  std::vector<int64_t> upsampling_ratios = {8, 5, 4, 2};  // of the decoder; the encoder goes the other way
  int64_t kernel_size = 7;
  int64_t last_kernel_size = 7;
  int64_t residual_kernel_size = 3;
  int64_t dilation_growth_rate = 2;
  bool use_causal_conv = true;
  EncodecPad pad_mode = EncodecPad::kReflect;
  int64_t compress = 2;  // residual branches are so many times narrower
  int64_t num_lstm_layers = 2;
  double trim_right_ratio = 1;
  int64_t codebook_size = 1024;
  int64_t codebook_dim = 128;
  bool use_conv_shortcut = true;
  std::vector<std::string> unknown_fields;
  Json resolved;  // every field in use, given or default

  size_t levels() const { return upsampling_ratios.size(); }
  // Channels at `level` upsamplings from the codes: the most at 0, num_filters at levels().
  int64_t channels(size_t level) const { return num_filters << (levels() - level); }
  int64_t hop() const;         // samples for a frame of codes
  int64_t frame_rate() const;  // frames of codes for a second, rounded up as the reference does
  double frame_rate_hz() const { return static_cast<double>(sampling_rate) / static_cast<double>(hop()); }
  // Frames of codes that so many samples make: a part of one counts as one.
  int64_t FramesOf(int64_t samples) const { return (samples + hop() - 1) / hop(); }
  int64_t books() const;  // that the largest bandwidth has

  // InvalidArgument (code "bad_config") with every field that is wrong; Unimplemented ("unsupported_config") for what
  // facebook/encodec_48khz asks for: chunks (chunk_length_s), loudness beside the codes (normalize) and normalisation
  // over time (norm_type). `where` starts the message.
  static absl::StatusOr<EncodecConfig> Parse(const Json& json, const std::string& where);
};

}  // namespace grym
