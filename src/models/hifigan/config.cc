#include "models/hifigan/config.h"

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {
namespace {

void CheckLevels(ConfigReader& reader, const HifiGanConfig& config) {
  const size_t levels = config.upsample_rates.size();
  if (config.upsample_kernel_sizes.size() != levels) {
    reader.Contradiction("upsample_kernel_sizes", Formatted("want one for each of the %d upsample_rates, got %d",
                                                            levels, config.upsample_kernel_sizes.size()));
    return;
  }
  for (size_t i = 0; i < levels; ++i) {
    if (config.upsample_kernel_sizes[i] < config.upsample_rates[i]) {
      reader.Contradiction("upsample_kernel_sizes", Formatted("want at least the rate, %d, at %d, got %d",
                                                              config.upsample_rates[i], i,
                                                              config.upsample_kernel_sizes[i]));
    }
  }
  if (config.channels(levels - 1) < 1) {
    reader.Contradiction("upsample_initial_channel", Formatted("want enough for %d halvings, got %d", levels,
                                                               config.upsample_initial_channel));
  }
  // Far from any vocoder, and 2^20 samples for a frame keep all sizes within 64 bits.
  if (config.hop() > (int64_t{1} << 20)) {
    reader.Contradiction("upsample_rates", Formatted("want a product of at most %d, got %d", int64_t{1} << 20,
                                                     config.hop()));
  }
}

}  // namespace

int64_t HifiGanConfig::hop() const {
  int64_t product = 1;
  for (const int64_t rate : upsample_rates) product *= rate;
  return product;
}

int64_t HifiGanConfig::FramesAfter(size_t count, int64_t frames) const {
  for (size_t i = 0; i < count; ++i) {
    frames = (frames - 1) * upsample_rates[i] - 2 * padding(i) + upsample_kernel_sizes[i];
  }
  return frames;
}

absl::StatusOr<HifiGanConfig> HifiGanConfig::Parse(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  HifiGanConfig config;
  reader.Int("model_in_dim", &config.model_in_dim, {.minimum = 1, .maximum = 4096});
  reader.Int("sampling_rate", &config.sampling_rate, {.minimum = 1000, .maximum = 768000});
  reader.Int("upsample_initial_channel", &config.upsample_initial_channel, {.minimum = 2, .maximum = 16384});
  reader.IntList("upsample_rates", &config.upsample_rates, {.minimum = 1, .maximum = 64, .shortest = 1, .longest = 8});
  reader.IntList("upsample_kernel_sizes", &config.upsample_kernel_sizes,
                 {.minimum = 1, .maximum = 256, .shortest = 1, .longest = 8});
  reader.IntList("resblock_kernel_sizes", &config.resblock_kernel_sizes,
                 {.minimum = 1, .maximum = 63, .shortest = 1, .longest = 8});
  reader.IntLists("resblock_dilation_sizes", &config.resblock_dilation_sizes,
                  {.minimum = 1, .maximum = 256, .shortest = 1, .longest = 8}, {.shortest = 1, .longest = 8});
  reader.Number("leaky_relu_slope", &config.leaky_relu_slope, {.minimum = 0, .maximum = 1});
  reader.Bool("normalize_before", &config.normalize_before);
  if (reader.problem_count() == 0) CheckLevels(reader, config);
  for (const int64_t kernel : config.resblock_kernel_sizes) {
    if (kernel % 2 == 0) {
      reader.Contradiction("resblock_kernel_sizes", Formatted("want odd sizes, which keep the length, got %d", kernel));
      break;
    }
  }
  if (config.resblock_dilation_sizes.size() < config.resblock_kernel_sizes.size()) {
    reader.Contradiction("resblock_dilation_sizes",
                         Formatted("want a list for each of the %d resblock_kernel_sizes, got %d",
                                   config.resblock_kernel_sizes.size(), config.resblock_dilation_sizes.size()));
  }
  reader.Ignore({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "initializer_range",
                 "_name_or_path"});
  GRYM_RETURN_IF_ERROR(reader.Finish());
  config.resblock_dilation_sizes.resize(config.resblock_kernel_sizes.size());
  config.unknown_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  return config;
}

}  // namespace grym
