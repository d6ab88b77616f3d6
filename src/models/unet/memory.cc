#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/unet/net.h"
#include "nn/bfloat_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

// Walks through the network as the operator does and counts what lives.
class UnetMeter {
 public:
  UnetMeter(const UnetConfig& config, const WeightOptions& options, int64_t rows)
      : config_(config),
        precision_(options.precision),
        device_(options.device),
        tiles_(CanTile(options)),
        by_bfloat_(UsesBFloatProducts(options.precision, options.device)),
        converts_(IsPacked(options.precision) ||
                  StorageType(options.precision) != ComputeType(options.precision, options.device)),
        rows_(rows),
        element_bytes_(static_cast<int64_t>(c10::elementSize(ComputeType(options.precision, options.device)))) {}

  // `live`, if set, is what each unit's weights take that are there only for their turn.
  int64_t Walk(int64_t height, int64_t width, const std::vector<int64_t>& live = {}) {
    for (size_t level = 0; level < config_.levels(); ++level, height = (height + 1) / 2, width = (width + 1) / 2)
      sizes_.push_back({height, width});
    GoTo(0);
    Take(Image(config_.in_channels));  // the latents channels-last
    const int64_t x = config_.channels[0];
    skips_ = {Take(Image(x))};
    Resting(Kernel(config_.in_channels, x, config_.conv_in_kernel));
    const std::vector<UnetUnit> units = UnitsOf(config_);
    for (size_t i = 0; i < units.size(); ++i) {
      const int64_t weights = live.empty() ? 0 : live[i] + (i + 1 < live.size() ? live[i + 1] : 0);
      Take(weights);
      Run(units[i]);
      Give(weights);
    }
    Resting(2 * Image(x) + Kernel(x, config_.out_channels, config_.conv_out_kernel));  // the last norm and the answer
    return peak_;
  }

 private:
  void GoTo(size_t level) {
    height_ = sizes_[level].first;
    width_ = sizes_[level].second;
  }
  int64_t Bytes(int64_t elements) const { return AllocatedBytes(elements * element_bytes_); }
  int64_t Image(int64_t channels) const { return Bytes(rows_ * channels * height_ * width_); }
  int64_t Take(int64_t bytes) {
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    return bytes;
  }
  void Give(int64_t bytes) { live_ -= bytes; }
  void Resting(int64_t bytes) { Give(Take(bytes)); }  // taken and given back
  int64_t Conv(int64_t in, int64_t out, bool tiled) const {
    if (by_bfloat_) return Image(out) + Kernel(in, out);
    if (converts_) return Kernel(in, out) + Conv3x3WorkingBytes(in, out, false, rows_, height_, width_);
    return Conv3x3WorkingBytes(in, out, tiled && tiles_, rows_, height_, width_);
  }
  // Convolutions of packed precisions are kept in half.
  int64_t Kernel(int64_t in, int64_t out, int64_t kernel = 3, int64_t stride = 1) const {
    const Precision kept = BesideMatrices(precision_, device_);
    return Conv2dScratchBytes(out, in, kernel, stride, kept, device_, rows_, height_, width_);
  }
  int64_t Rows(int64_t in, int64_t out) const {
    return LinearScratchBytes(out, in, precision_, device_, rows_ * height_ * width_);
  }

  // x stays the caller's.
  int64_t Resnet(int64_t in, int64_t out, bool tiled) {
    Resting(Image(in) + Conv(in, out, tiled));
    Take(Image(out));
    Resting(Image(out) + Conv(out, out, tiled));
    if (in != out) Resting(Image(out) + Rows(in, out));
    return Image(out);
  }

  int64_t Transformer(int64_t dim, int64_t heads) {
    const int64_t one = Image(dim), positions = height_ * width_;
    Resting(2 * one + Rows(dim, dim));
    Take(one);
    // Source of the block sizes: LibTorch 2.13, FlashAttentionKernel.cpp.
    const int64_t queries = std::min<int64_t>(positions, positions >= 768 ? 256 : positions >= 192 ? 64 : 32);
    const int64_t blocks = at::get_num_threads() * queries * (std::min<int64_t>(positions, 512) + 2 + dim / heads) * 4;
    const int64_t statistics = AllocatedBytes(rows_ * positions * std::max<int64_t>(heads, 2) * 4);
    Resting(one + 3 * one + Rows(dim, 3 * dim));
    Resting(one + 3 * one + one + statistics + std::max(blocks, one));
    const int64_t wide = Image(4 * dim);
    Resting(one + wide + std::max(wide + Rows(dim, 4 * dim), one + Rows(4 * dim, dim)));
    Resting(one + Rows(dim, dim));
    return one;
  }

  // Puts what a unit made in place of x.
  void Replace(int64_t made) {
    Give(held_);
    held_ = made;
  }

  void Run(const UnetUnit& unit) {
    if (unit.joins) {
      Replace(Take(Image(unit.in)));
      Give(skips_.back());
      skips_.pop_back();
    }
    GoTo(unit.level);
    switch (unit.kind) {
      case UnetUnit::Kind::kResnet: Replace(Resnet(unit.in, unit.out, unit.tiled)); break;
      case UnetUnit::Kind::kAttention: Replace(Transformer(unit.out, unit.heads)); break;
      case UnetUnit::Kind::kHalve: {
        const int64_t made = Take(Image(unit.out));
        Resting(Kernel(unit.in, unit.out, 3, 2));
        Replace(made);
        break;
      }
      case UnetUnit::Kind::kSmooth:
        Resting(Image(unit.in) + Conv(unit.in, unit.out, unit.tiled));
        Replace(Take(Image(unit.out)));
        break;
    }
    if (!unit.skips) return;
    skips_.push_back(held_);
    held_ = 0;
  }

  const UnetConfig& config_;
  const Precision precision_;
  const c10::Device device_;
  const bool tiles_, by_bfloat_, converts_;
  const int64_t rows_, element_bytes_;
  std::vector<std::pair<int64_t, int64_t>> sizes_;  // height and width at each level
  std::vector<int64_t> skips_;
  int64_t held_ = 0;  // of x alone, where no skip holds it
  int64_t height_ = 0, width_ = 0, live_ = 0, peak_ = 0;
};

// Of two neighbours at most.
int64_t LargestPair(const std::vector<int64_t>& bytes) {
  int64_t most = bytes.size() == 1 ? bytes.front() : 0;
  for (size_t i = 1; i < bytes.size(); ++i) most = std::max(most, bytes[i - 1] + bytes[i]);
  return most;
}

}  // namespace

int64_t Unet::WorkingBytes(const UnetConfig& config, const WeightOptions& options, int64_t rows, int64_t height,
                           int64_t width) {
  return UnetMeter(config, options, rows).Walk(height, width);
}

int64_t Unet::StreamedWeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options) {
  const UnetUnitBytes bytes = UnitBytesOf(set, config, options);
  return bytes.beside + LargestPair(bytes.units);
}

int64_t Unet::StreamedWorkingBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options,
                                   int64_t rows, int64_t height, int64_t width) {
  const UnetUnitBytes bytes = UnitBytesOf(set, config, options);
  const int64_t run = UnetMeter(config, options, rows).Walk(height, width, bytes.units);
  // While the conditions are made there is no image yet.
  return std::max(run, LargestPair(bytes.shifts)) - LargestPair(bytes.units);
}

int64_t Unet::ConditionsBytes(const UnetConfig& config, const WeightOptions& options, int64_t steps, int64_t rows) {
  const auto element = static_cast<int64_t>(c10::elementSize(ComputeType(options.precision, options.device)));
  const auto bytes = [&](int64_t channels) { return AllocatedBytes(steps * rows * channels * element); };
  const auto scratch = [&](int64_t out, int64_t in) {
    return LinearScratchBytes(out, in, options.precision, options.device, steps * rows);
  };
  int64_t product = std::max({scratch(config.time_dim, config.time_dim), scratch(config.time_dim, config.channels[0]),
                              scratch(config.time_dim, config.class_dim)});
  for (const UnetUnit& unit : UnitsOf(config)) {
    if (unit.kind == UnetUnit::Kind::kResnet) product = std::max(product, scratch(unit.out, config.embedding_dim()));
  }
  int64_t sum = 3 * bytes(config.embedding_dim()) + product;  // while they are made
  for (const UnetUnit& unit : UnitsOf(config)) {
    if (unit.kind == UnetUnit::Kind::kResnet) sum += bytes(unit.out);
  }
  return sum;
}

}  // namespace grym
