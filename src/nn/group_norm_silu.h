// Group normalisation and the activation after it in two passes over the memory: one that measures, one that changes.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "nn/activation.h"
#include "nn/norm.h"
#include "runtime/tensor.h"

namespace grym {

// y = x scale + shift, for each channel of one image.
struct ChannelAffine {
  at::Tensor scale, shift;  // [channels], float32
};

// What group normalisation multiplies and adds, measured over an image [1, channels, height, width], channels-last,
// that comes whole or tile by tile. Sums are taken around a value of the channel, in double across blocks of
// fixed size: for one cutting into tiles the same bits with any number of threads.
// Source: Wu and He, "Group Normalization", 2018, equations 1 to 4.
class GroupSums {
 public:
  void Add(const at::Tensor& x);
  // Of all that was added; at least once. `offset` [channels], if defined, counts as added to every position.
  ChannelAffine Finish(const GroupNorm& norm, const at::Tensor& offset = {}) const;

 private:
  int64_t rows_ = 0;
  std::vector<double> pivot_, sum_, square_;  // [channels]: a value, sums of x - pivot and of its square
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
};
ChannelAffine MeasureGroups(const GroupNorm& norm, const at::Tensor& x);

// activation(x scale + shift) into `out`, which may be x itself and is of x's shape and type, both channels-last.
// Nothing (std::nullopt) leaves the activation out.
void ApplyAffine(const ChannelAffine& affine, std::optional<Activation> activation, const at::Tensor& x,
                 at::Tensor& out);

// activation(norm(x + offset)) of images [rows, channels, height, width]; a new tensor, or x itself changed. `offset`
// [rows, channels], if defined, is the same at every position. Three times as fast as LibTorch's operators for the norm
// and the activation in float32 on a CPU; in other types, layouts and places it is these operators.
at::Tensor NormActivate(const GroupNorm& norm, std::optional<Activation> activation, const at::Tensor& x,
                        const at::Tensor& offset = {});
void NormActivateInPlace(const GroupNorm& norm, std::optional<Activation> activation, at::Tensor& x,
                         const at::Tensor& offset = {});

}  // namespace grym
