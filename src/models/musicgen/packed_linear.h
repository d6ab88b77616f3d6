// y = x W' + b for few rows: the weights are read once, whatever they are kept in.
#pragma once
#include <cstdint>

#include "nn/linear.h"
#include "runtime/tensor.h"

namespace grym {

// Immutable once packed; copies share the weights. On the CPU. Threads: const methods may run together.
class PackedLinear {
 public:
  PackedLinear() = default;
  // weight float32 [out, in] contiguous; bias float32 [out] or undefined. `group` is int4's.
  static PackedLinear Pack(const at::Tensor& weight, const at::Tensor& bias, Precision precision,
                           int64_t group = kInt4Group);
  // What Pack keeps beside the bias, as the allocator counts it.
  static int64_t BytesKept(int64_t out, int64_t in, Precision precision, int64_t group = kInt4Group);

  bool loaded() const { return weight_.loaded(); }
  int64_t in() const { return weight_.in; }
  int64_t out() const { return weight_.out; }
  int64_t bytes() const { return BytesKept(out(), in(), weight_.precision, group_); }
  // x float32 [rows, in] -> y float32 [rows, out], both contiguous, y given. A row's result has the same bits however
  // many rows there are: each is summed in eight partial sums over the inputs, alone.
  void Apply(const at::Tensor& x, at::Tensor& y) const;

 private:
  WeightMatrix weight_;
  at::Tensor bias_;
  int64_t group_ = kInt4Group;
};

}  // namespace grym
