// What a HiFi-GAN's config says: transformers' SpeechT5HifiGan, AudioLDM's vocoder.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// Defaults are those of transformers 5.23, configuration_speecht5.py.
struct HifiGanConfig {
  int64_t model_in_dim = 80;  // mel bands
  int64_t sampling_rate = 16000;
  int64_t upsample_initial_channel = 512;
  std::vector<int64_t> upsample_rates = {4, 4, 4, 4};
  std::vector<int64_t> upsample_kernel_sizes = {8, 8, 8, 8};
  std::vector<int64_t> resblock_kernel_sizes = {3, 7, 11};
  std::vector<std::vector<int64_t>> resblock_dilation_sizes = {{1, 3, 5}, {1, 3, 5}, {1, 3, 5}};
  double leaky_relu_slope = 0.1;
  bool normalize_before = true;
  std::vector<std::string> unknown_fields;
  Json resolved;  // every field in use, given or default

  size_t levels() const { return upsample_rates.size(); }
  int64_t channels(size_t level) const { return upsample_initial_channel >> (level + 1); }  // after its upsampling
  int64_t padding(size_t level) const { return (upsample_kernel_sizes[level] - upsample_rates[level]) / 2; }
  int64_t hop() const;  // samples for a mel frame
  // Frames after `level` upsamplings of `frames`: a frame more than the product of the rates where a kernel and its
  // rate differ by an odd number.
  int64_t FramesAfter(size_t levels, int64_t frames) const;

  // InvalidArgument (code "bad_config") with every field that is wrong; `where` starts the message.
  static absl::StatusOr<HifiGanConfig> Parse(const Json& json, const std::string& where);
};

}  // namespace grym
