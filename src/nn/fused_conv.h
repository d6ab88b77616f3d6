// Convolutions that do what follows them most often (a leaky ReLU, a sum with a residual) in the same pass.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "nn/bfloat_conv.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Two-dimensional, of channels-last inputs; the outputs are channels-last as well. On a CPU whose LibTorch has oneDNN
// it does both in one pass, with weights that are converted in each call where they are kept in fewer bytes; elsewhere
// they are two.
// The weights stay plain, and each call lays them out in oneDNN's blocks. Packing them once was tried: which blocks a
// kernel wants depends on the size of its input, and from the wrong ones oneDNN 3 takes 270 to 430 ms for 3 MB where
// plain ones take a few. Large images go by tiles (winograd.h) where the kernel is of 3 x 3: two to three times as fast.
// bfloat16 and bfloat16x3 go by products of our own where the CPU has units for them (nn/bfloat_conv.h).
// Immutable once made; threads: const methods may run together.
class FusedConv {
 public:
  using Shape = ConvSteps;
  FusedConv() = default;
  // `weight` [out, in, height, width] in the storage type of `precision`, `bias` [out] in its compute type, or
  // undefined. In bfloat16 the weight may be laid out anew in place: give one that nobody else reads.
  FusedConv(const at::Tensor& weight, at::Tensor bias, const Shape& shape, Precision precision);

  bool loaded() const { return weight_.defined(); }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  // x [1, in, height, width] in the compute type.
  at::Tensor operator()(const at::Tensor& x) const;
  at::Tensor WithLeakyRelu(const at::Tensor& x, double slope) const;
  // sum += conv(x), in place. `sum` is channels-last and of the output's shape.
  void AddTo(at::Tensor& sum, const at::Tensor& x) const;

 private:
  at::Tensor Plain(const at::Tensor& x) const;
  at::Tensor ForPanels(const at::Tensor& x) const;
  bool ByTiles(const at::Tensor& x) const;
  void PushLayer(std::vector<c10::IValue>& stack) const;
  at::Tensor weight_, bias_;
  Shape shape_;
  Precision precision_ = Precision::kFloat32;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  int64_t in_ = 0, out_ = 0;
  bool fused_ = false, tiles_ = false, in_panels_ = false;
};

// What one call takes beside its arguments and result, at most: a copy of its weights in oneDNN's blocks, which are of
// 24 channels and fewer; one converted from the type that they are kept in; and the kernel's own sums. Or what our own
// products take.
int64_t ConvScratchBytes(const ConvShape& shape, Precision precision, c10::Device device);
// The same of a convolution of 3 x 3, stride 1 and padding 1 of one image, which may go by tiles.
int64_t Conv3x3ScratchBytes(int64_t out, int64_t in, int64_t height, int64_t width, Precision precision,
                            c10::Device device);
// What a convolution with a bias takes once loaded.
int64_t ConvWeightBytes(int64_t out, int64_t in, int64_t taps, Precision precision);

// "<layer>.weight" [out, in, kernel, kernel] and "<layer>.bias".
FusedConv ReadFusedConv(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                          int64_t padding, int64_t stride);

}  // namespace grym
