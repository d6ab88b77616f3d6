#include "nn/halving_conv.h"

#include <algorithm>

#include "dsp/dispatch.h"
#include "nn/tile_product.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kPanel = 64;  // results that are made of the same weights: four registers of the widest kernels
constexpr int64_t kPairs = 32;  // of results at once: their inputs stay in the second cache
constexpr int64_t kPairStep = 8;
enum Matrix { kFirst, kMiddle, kLast, kShared, kMatrices };

// Between rows of the inputs, so that they do not meet in one set of the cache.
constexpr int64_t kGap = 16;
int64_t StrideOf(int64_t in) { return in + kGap; }

GRYM_HOT void Differences(const float* GRYM_RESTRICT x0, const float* GRYM_RESTRICT x2, const float* GRYM_RESTRICT x4,
                          float* GRYM_RESTRICT before, float* GRYM_RESTRICT after, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    before[i] = x0[i] - x2[i];
    after[i] = x4[i] - x2[i];
  }
}

GRYM_HOT void Sums(const float* GRYM_RESTRICT own, const float* GRYM_RESTRICT shared, const float* GRYM_RESTRICT bias,
                   float* GRYM_RESTRICT y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = own[i] + shared[i] + bias[i];
}

// What one thread works in.
class PairWorker {
 public:
  PairWorker(int64_t in, int64_t out, int64_t results, float* scratch)
      : in_(in), out_(out), results_(results), stride_(StrideOf(in)), middles_(scratch),
        odds_(middles_ + kPairs * stride_), before_(odds_ + 2 * kPairs * stride_), after_(before_ + kPairs * stride_),
        own_(after_ + kPairs * stride_), shared_(own_ + 2 * kPairs * kPanel) {}
  static int64_t Floats(int64_t in) { return 5 * kPairs * StrideOf(in) + 3 * kPairs * kPanel; }

  // Pairs [first, first + count).
  void Run(int64_t first, int64_t count, const float* x, const float* zeros, const float* packed, const float* bias,
           float* y) {
    for (int64_t i = 0; i < count; ++i) ReadPair(first + i, i, x, zeros);
    for (int64_t panel = 0; panel < out_; panel += kPanel) {
      const int64_t columns = std::min(kPanel, out_ - panel);
      Multiply(count, columns, packed + panel * in_ * kMatrices);
      for (int64_t i = 0; i < 2 * count; ++i) {
        const int64_t result = 2 * first + i;
        if (result >= results_) break;
        Sums(own_ + i * columns, shared_ + i / 2 * columns, bias + panel, y + result * out_ + panel, columns);
      }
    }
  }

 private:
  void ReadPair(int64_t pair, int64_t row, const float* x, const float* zeros) {
    const auto frame = [&](int64_t i) { return 4 * pair + i <= 2 * results_ ? x + (4 * pair + i) * in_ : zeros; };
    std::copy_n(frame(2), in_, middles_ + row * stride_);
    std::copy_n(frame(1), in_, odds_ + 2 * row * stride_);
    std::copy_n(frame(3), in_, odds_ + (2 * row + 1) * stride_);
    Differences(frame(0), frame(2), frame(4), before_ + row * stride_, after_ + row * stride_, in_);
  }

  void Multiply(int64_t pairs, int64_t columns, const float* weights) {
    const auto matrix = [&](Matrix which) { return Tile{weights + which * in_ * columns, columns}; };
    MultiplyTile(2 * pairs, in_, columns, {odds_, stride_}, matrix(kMiddle), false, own_, columns);
    MultiplyTile(pairs, in_, columns, {before_, stride_}, matrix(kFirst), true, own_, 2 * columns);
    MultiplyTile(pairs, in_, columns, {after_, stride_}, matrix(kLast), true, own_ + columns, 2 * columns);
    MultiplyTile(pairs, in_, columns, {middles_, stride_}, matrix(kShared), false, shared_, columns);
  }

  const int64_t in_, out_, results_, stride_;
  float *const middles_, *const odds_, *const before_, *const after_;  // [kPairs, in], odds_ twice as many
  float *const own_, *const shared_;                                   // [2 * kPairs, columns], [kPairs, columns]
};

}  // namespace

at::Tensor PackHalving(const at::Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  at::Tensor packed = at::empty({out * in * kMatrices}, at::kFloat);
  for (int64_t panel = 0; panel < out; panel += kPanel) {
    const int64_t columns = std::min(kPanel, out - panel);
    const at::Tensor some = weight.narrow(0, panel, columns).permute({2, 1, 0});  // [3, in, columns]
    const at::Tensor to =
        packed.narrow(0, panel * in * kMatrices, columns * in * kMatrices).view({kMatrices, in, columns});
    to.narrow(0, kFirst, 3).copy_(some);
    at::Tensor shared = to.select(0, kShared);
    at::add_out(shared, some.select(0, 0), some.select(0, 2));
  }
  return packed;
}

int64_t HalvingWeightBytes(int64_t in, int64_t out) { return AllocatedBytes(out * in * kMatrices * 4); }

void ConvolveHalving(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias, at::Tensor& y) {
  const int64_t in = x.size(1), results = y.size(0), out = y.size(1), pairs = (results + 1) / 2;
  if (results < 1) return;
  const at::Tensor scratch = at::empty({at::get_num_threads(), PairWorker::Floats(in)}, x.options());
  const at::Tensor zeros = at::zeros({std::max(in, out)}, x.options());
  const float* const none = zeros.const_data_ptr<float>();
  const float* const shift = bias.defined() ? bias.const_data_ptr<float>() : none;
  const float* const from = x.const_data_ptr<float>();
  const float* const weights = packed.const_data_ptr<float>();
  float* const each = scratch.mutable_data_ptr<float>();
  float* const to = y.mutable_data_ptr<float>();
  // An even number of them, so that two threads have as much to do.
  const int64_t wanted = (pairs + kPairs - 1) / kPairs, even = wanted + wanted % 2;
  const int64_t block = std::min(kPairs, ((pairs + even - 1) / even + kPairStep - 1) / kPairStep * kPairStep);
  at::parallel_for(0, (pairs + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    PairWorker worker(in, out, results, each + at::get_thread_num() * PairWorker::Floats(in));
    for (int64_t i = begin; i < end; ++i) worker.Run(i * block, block, from, none, weights, shift, to);
  });
}

int64_t HalvingScratchBytes(int64_t in, int64_t out) {
  return AllocatedBytes(at::get_num_threads() * PairWorker::Floats(in) * 4) + AllocatedBytes(std::max(in, out) * 4);
}

}  // namespace grym
