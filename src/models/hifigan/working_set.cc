#include "models/hifigan/working_set.h"

#include <algorithm>
#include <set>

#include "models/hifigan/net.h"
#include "nn/fused_conv.h"
#include "nn/wave_conv.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

int64_t VocoderWeight(int64_t in, int64_t out, int64_t taps, Precision precision) {
  return ConvWeightBytes(out, in, taps, precision);
}

int64_t TapsOf(const HifiGanConfig& config, size_t level) {
  return (config.upsample_kernel_sizes[level] + config.upsample_rates[level] - 1) / config.upsample_rates[level];
}

struct PieceShape {
  const HifiGanConfig& config;
  Precision precision;
  c10::Device device;
  int64_t Wave(int64_t length, int64_t channels) const {
    return AllocatedBytes(length * channels * (ComputeType(precision, device) == c10::ScalarType::Float ? 4 : 2));
  }
  int64_t Scratch(const WaveTiling& layer, int64_t length) const {
    return WaveConvScratchBytes(layer, length, precision, device);
  }
};

// The most that the residual blocks of a level take beside what the upsampling made, as HifiGan::MixBlocks does.
int64_t BlocksBytes(const PieceShape& shape, size_t level, int64_t length) {
  const HifiGanConfig& config = shape.config;
  const int64_t channels = config.channels(level), wave = shape.Wave(length, channels);
  const size_t blocks = config.resblock_kernel_sizes.size();
  int64_t most = 0;
  for (size_t k = 0; k < blocks; ++k) {
    const int64_t kernel = config.resblock_kernel_sizes[k], sum = k > 0 ? wave : 0;
    const int64_t copy = k + 1 < blocks ? wave : 0;  // the last block works in what the upsampling made
    const int64_t plain = shape.Scratch({channels, channels, kernel, (kernel - 1) / 2, 1}, length);
    for (size_t i = 0; i < config.resblock_dilation_sizes[k].size(); ++i) {
      const int64_t dilation = config.resblock_dilation_sizes[k][i];
      const WaveTiling dilated{channels, channels, kernel, dilation * (kernel - 1) / 2, dilation};
      const bool tiles = WaveConvTiles(dilated, length, shape.precision, shape.device);
      const int64_t sides = tiles ? wave : 2 * wave;
      most = std::max({most, sum + (i > 0 ? copy : 0) + sides + shape.Scratch(dilated, length),
                       sum + copy + wave + plain});
    }
  }
  return most;
}

// Of one piece of `frames` mel frames, as HifiGan::Run takes and frees its waves.
int64_t PieceBytes(const PieceShape& shape, int64_t frames) {
  const HifiGanConfig& config = shape.config;
  const int64_t initial = config.upsample_initial_channel;
  const int64_t mel = config.normalize_before ? shape.Wave(frames, config.model_in_dim) : 0;
  int64_t before = shape.Wave(frames, initial), peak = 2 * mel + before;
  peak = std::max(peak, mel + before + shape.Scratch({config.model_in_dim, initial, 7, 3, 1}, frames));
  for (size_t level = 0; level < config.levels(); ++level) {
    const int64_t in = initial >> level, channels = config.channels(level), taps = TapsOf(config, level);
    const int64_t length = config.FramesAfter(level, frames);
    // What the upsampling makes is a little longer than what is used of it.
    const int64_t made = shape.Wave((length + taps - 1) * config.upsample_rates[level], channels);
    const WaveTiling upsample{in, channels * config.upsample_rates[level], taps, taps - 1, 1};
    const int64_t used = config.FramesAfter(level + 1, frames);
    peak = std::max({peak, before + made + shape.Scratch(upsample, length), made + BlocksBytes(shape, level, used)});
    before = shape.Wave(used, channels);
  }
  const int64_t samples = config.FramesAfter(config.levels(), frames);
  return std::max(peak, before + shape.Wave(samples, 1) +
                            shape.Scratch({config.channels(config.levels() - 1), 1, 7, 3, 1}, samples));
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
  const PieceShape shape{config, precision, device};
  std::set<int64_t> lengths;  // a shorter piece may take more: tiles are for the longer ones
  if (chunk_frames > 0 && chunk_frames < frames) {
    for (int64_t frame = 0; frame < frames; frame += chunk_frames) {
      const bool last = frame + chunk_frames >= frames;
      const FrameRange range = FramesBehind(config, frames, frame * hop,
                                            last ? samples : std::min(samples, (frame + chunk_frames) * hop));
      lengths.insert(range.end - range.begin);
    }
  } else {
    lengths.insert(frames);
  }
  int64_t most = 0;
  for (const int64_t length : lengths) most = std::max(most, PieceBytes(shape, length));
  return AllocatedBytes(batch * samples * 4) + most;
}

}  // namespace grym
