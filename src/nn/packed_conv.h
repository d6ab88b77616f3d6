// Convolutions whose weights are laid out once, for the kernels that the machine is fastest with, and that do what
// follows a convolution most often (a leaky ReLU, a sum with a residual) in the same pass.
#pragma once
#include <array>
#include <cstdint>

#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Two-dimensional, of channels-last inputs; the outputs are channels-last as well. On a CPU whose LibTorch has oneDNN
// and where the weights are kept in the type that is computed in, they lie in oneDNN's blocks: laying them out at each
// call costs up to a fifth of a short convolution. Elsewhere LibTorch's own convolution is used on plain weights.
// Immutable once made; threads: const methods may run together.
class PackedConv {
 public:
  struct Shape {
    std::array<int64_t, 2> padding = {0, 0}, stride = {1, 1}, dilation = {1, 1};
  };
  PackedConv() = default;
  // `weight` [out, in, height, width] in the storage type, `bias` [out] in the compute type or undefined.
  // `typical` [1, in, height, width] is an input as it will come: the blocks are chosen for it, others work too.
  PackedConv(const at::Tensor& weight, at::Tensor bias, const Shape& shape, c10::ScalarType compute,
             const std::array<int64_t, 4>& typical);

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
  at::Tensor weight_, bias_;
  Shape shape_;
  int64_t in_ = 0, out_ = 0;
  bool packed_ = false;
};

// What the weights of a convolution take once they are packed: oneDNN's blocks are of whole registers of channels.
int64_t PackedConvBytes(int64_t out, int64_t in, int64_t taps, Precision precision, c10::Device device);

// "<layer>.weight" [out, in, kernel, kernel] and "<layer>.bias".
PackedConv ReadPackedConv(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                          int64_t padding, int64_t stride, std::array<int64_t, 2> typical_size);

}  // namespace grym
