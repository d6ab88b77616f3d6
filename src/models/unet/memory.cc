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
        unfolds_(IsPacked(options.precision) || UsesBFloatProducts(options.precision, options.device) ||
                 StorageType(options.precision) != ComputeType(options.precision, options.device)),
        rows_(rows),
        element_bytes_(static_cast<int64_t>(c10::elementSize(ComputeType(options.precision, options.device)))) {}

  int64_t Walk(int64_t height, int64_t width) {
    for (size_t level = 0; level < config_.levels(); ++level, height = (height + 1) / 2, width = (width + 1) / 2)
      sizes_.push_back({height, width});
    GoTo(0);
    Take(Image(config_.in_channels));  // the latents channels-last
    int64_t x = config_.channels[0];
    std::vector<int64_t> skips = {Take(Image(x))};
    Resting(Kernel(config_.in_channels, x, config_.conv_in_kernel));
    int64_t held = 0;  // of x alone, where no skip holds it
    Down(x, skips, held);
    Middle(x, held);
    Up(x, skips, held);
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
    if (unfolds_) return Image(out) + Kernel(in, out);
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

  // Puts what a layer made in place of x.
  void Replace(int64_t made, int64_t& held) {
    Give(held);
    held = made;
  }

  void Down(int64_t& x, std::vector<int64_t>& skips, int64_t& held) {
    for (size_t level = 0; level < config_.levels(); ++level) {
      const int64_t out = config_.channels[level];
      for (int64_t i = 0; i < config_.layers[level]; ++i) {
        Replace(Resnet(x, out, Unet::WantsTiles(level)), held);
        x = out;
        if (config_.down_attention[level]) Replace(Transformer(x, config_.heads[level]), held);
        skips.push_back(held);
        held = 0;
      }
      if (level + 1 == config_.levels()) return;
      GoTo(level + 1);
      skips.push_back(Take(Image(x)));
      Resting(Kernel(x, x, 3, 2));
    }
  }

  void Middle(int64_t x, int64_t& held) {
    if (config_.middle == UnetConfig::Middle::kNone) return;
    Replace(Resnet(x, x, false), held);
    if (config_.middle == UnetConfig::Middle::kResnet) return;
    Replace(Transformer(x, config_.heads.back()), held);
    Replace(Resnet(x, x, false), held);
  }

  void Up(int64_t& x, std::vector<int64_t>& skips, int64_t& held) {
    for (size_t order = 0; order < config_.levels(); ++order) {
      const size_t level = config_.levels() - 1 - order;
      const int64_t out = config_.channels[level];
      for (int64_t i = 0; i <= config_.layers[level]; ++i) {
        const int64_t both = x + (i == config_.layers[level] ? config_.channels[level == 0 ? 0 : level - 1] : out);
        Replace(Take(Image(both)), held);
        Give(skips.back());
        skips.pop_back();
        Replace(Resnet(both, out, Unet::WantsTiles(level)), held);
        x = out;
        if (config_.up_attention[level]) Replace(Transformer(x, config_.heads[level]), held);
      }
      if (level == 0) return;
      GoTo(level - 1);
      Resting(Image(x) + Conv(x, x, Unet::WantsTiles(level - 1)));
      Replace(Take(Image(x)), held);
    }
  }

  const UnetConfig& config_;
  const Precision precision_;
  const c10::Device device_;
  const bool tiles_, unfolds_;
  const int64_t rows_, element_bytes_;
  std::vector<std::pair<int64_t, int64_t>> sizes_;  // height and width at each level
  int64_t height_ = 0, width_ = 0, live_ = 0, peak_ = 0;
};

}  // namespace

int64_t Unet::WorkingBytes(const UnetConfig& config, const WeightOptions& options, int64_t rows, int64_t height,
                           int64_t width) {
  return UnetMeter(config, options, rows).Walk(height, width);
}

int64_t Unet::ConditionsBytes(const UnetConfig& config, const WeightOptions& options, int64_t steps, int64_t rows) {
  const auto element = static_cast<int64_t>(c10::elementSize(ComputeType(options.precision, options.device)));
  const auto bytes = [&](int64_t channels) { return AllocatedBytes(steps * rows * channels * element); };
  int64_t sum = 3 * bytes(config.embedding_dim());  // while they are made
  for (size_t level = 0; level < config.levels(); ++level)
    sum += (2 * config.layers[level] + 1) * bytes(config.channels[level]);
  const int64_t middle = config.middle == UnetConfig::Middle::kNone     ? 0
                         : config.middle == UnetConfig::Middle::kResnet ? 1
                                                                        : 2;
  return sum + middle * bytes(config.channels.back());
}

}  // namespace grym
