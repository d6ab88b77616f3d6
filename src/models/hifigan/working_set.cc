#include "models/hifigan/working_set.h"

#include <algorithm>

#include "models/hifigan/net.h"
#include "nn/fused_conv.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

int64_t VocoderWeight(int64_t in, int64_t out, int64_t taps, Precision precision) {
  return ConvWeightBytes(out, in, taps, precision);
}

int64_t TapsOf(const HifiGanConfig& config, size_t level) {
  return (config.upsample_kernel_sizes[level] + config.upsample_rates[level] - 1) / config.upsample_rates[level];
}

// Of one piece of `frames` mel frames, as HifiGan::Run takes and frees its waves.
int64_t PieceBytes(const HifiGanConfig& config, Precision precision, c10::Device device, int64_t frames) {
  const int64_t element_bytes = ComputeType(precision, device) == c10::ScalarType::Float ? 4 : 2;
  const auto scratch = [&](int64_t in, int64_t out, int64_t taps, int64_t length, int64_t padding, int64_t dilation) {
    const ConvSteps steps = {{0, padding}, {1, 1}, {1, dilation}};
    return ConvScratchBytes({1, 1, length, in, out, {1, taps}, steps}, precision, device);
  };
  const auto wave = [&](int64_t length, int64_t channels) { return AllocatedBytes(length * channels * element_bytes); };
  const int64_t mel = config.normalize_before ? wave(frames, config.model_in_dim) : 0;
  int64_t before = wave(frames, config.upsample_initial_channel), peak = 2 * mel + before;
  peak = std::max(peak, mel + before + scratch(config.model_in_dim, config.upsample_initial_channel, 7, frames, 3, 1));
  const auto residual_scratch = [&](int64_t channels, int64_t length) {
    int64_t most = 0;
    for (size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k) {
      const int64_t kernel = config.resblock_kernel_sizes[k];
      for (const int64_t dilation : config.resblock_dilation_sizes[k]) {
        most = std::max(most, scratch(channels, channels, kernel, length, dilation * (kernel - 1) / 2, dilation));
      }
      most = std::max(most, scratch(channels, channels, kernel, length, (kernel - 1) / 2, 1));
    }
    return most;
  };
  const auto blocks = static_cast<int64_t>(config.resblock_kernel_sizes.size());
  for (size_t level = 0; level < config.levels(); ++level) {
    const int64_t length = config.FramesAfter(level, frames) + TapsOf(config, level) - 1;
    // What the upsampling makes is a little longer than what is used of it.
    const int64_t made = wave(length * config.upsample_rates[level], config.channels(level));
    const int64_t used = wave(config.FramesAfter(level + 1, frames), config.channels(level));
    const int64_t in = config.upsample_initial_channel >> level, channels = config.channels(level);
    const int64_t weight = scratch(in, channels * config.upsample_rates[level], TapsOf(config, level),
                                   config.FramesAfter(level, frames), TapsOf(config, level) - 1, 1);
    peak = std::max({peak, before + made + weight,
                     made + std::min<int64_t>(blocks + 1, 4) * used +
                              residual_scratch(channels, config.FramesAfter(level + 1, frames))});
    before = used;
  }
  const int64_t samples = wave(config.FramesAfter(config.levels(), frames), 1);
  const int64_t last = config.channels(config.levels() - 1), length = config.FramesAfter(config.levels(), frames);
  return std::max(peak, before + samples + scratch(last, 1, 7, length, 3, 1));
}

}  // namespace

int64_t HifiGanWeightBytes(const HifiGanConfig& config, Precision precision) {
  int64_t sum = VocoderWeight(config.model_in_dim, config.upsample_initial_channel, 7, precision);
  if (config.normalize_before) sum += 2 * AllocatedBytes(config.model_in_dim * 4);
  for (size_t level = 0; level < config.levels(); ++level) {
    const int64_t in = config.upsample_initial_channel >> level, channels = config.channels(level);
    sum += VocoderWeight(in, channels * config.upsample_rates[level], TapsOf(config, level), precision);
    for (size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k) {
      sum += 2 * static_cast<int64_t>(config.resblock_dilation_sizes[k].size()) *
             VocoderWeight(channels, channels, config.resblock_kernel_sizes[k], precision);
    }
  }
  return sum + VocoderWeight(config.channels(config.levels() - 1), 1, 7, precision);
}

int64_t HifiGanBytes(const HifiGanConfig& config, Precision precision, c10::Device device, int64_t batch,
                     int64_t frames, int64_t chunk_frames) {
  const int64_t samples = config.FramesAfter(config.levels(), frames), hop = config.hop();
  int64_t longest = frames;
  if (chunk_frames > 0 && chunk_frames < frames) {
    longest = 0;
    for (int64_t frame = 0; frame < frames; frame += chunk_frames) {
      const bool last = frame + chunk_frames >= frames;
      const FrameRange range = FramesBehind(config, frames, frame * hop,
                                            last ? samples : std::min(samples, (frame + chunk_frames) * hop));
      longest = std::max(longest, range.end - range.begin);
    }
  }
  return AllocatedBytes(batch * samples * 4) + PieceBytes(config, precision, device, longest);
}

}  // namespace grym
