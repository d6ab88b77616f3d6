// y = x W' + b for a few rows of x at a time, at the speed at which the packed weights are read. On the CPU.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/product.h"
#include "runtime/device.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// How `precision` is kept: int8 and int4 in groups, float32 as float16 where `exact_half` says that nothing is lost.
WeightFormat PackedFormat(Precision precision, bool exact_half = false);

// Immutable; copies share the weights. The bytes (quant/layout.h) lie in a uint8 tensor, so that a budget counts them.
class PackedLinear {
 public:
  PackedLinear() = default;
  // weight float32 [out, in] contiguous on the CPU; bias float32 [out] or undefined, kept by reference. `group` is for
  // int8 and int4: 32, 64 or 128. float32 weights that all are exactly float16 are kept as such: the same results at
  // half the bytes. Rows are packed on LibTorch's threads.
  static PackedLinear Pack(const at::Tensor& weight, const at::Tensor& bias, Precision precision, int64_t group = 64);
  // The same as exactly `format`, for a network that decides for all of its matrices at once.
  static PackedLinear PackAs(const at::Tensor& weight, const at::Tensor& bias, WeightFormat format, int64_t group = 64);
  // What `packed` of another PackedLinear was saved as: uint8 [bytes] on the CPU, contiguous, taken without a copy.
  // DataLoss (code "bad_packed_weights") for damaged bytes, ("non_finite_weights") for scales or weights that are no
  // numbers, ("bad_weights") for other sides than [out, in].
  static absl::StatusOr<PackedLinear> Open(const at::Tensor& packed, const at::Tensor& bias, int64_t out, int64_t in);

  // x float32 [rows, in] -> y float32 [rows, out], both contiguous on the CPU. A row's result is the same bits whatever
  // the number of rows and of threads. Allocates nothing unless `in` is above 50,000.
  void Apply(const at::Tensor& x, at::Tensor& y) const;
  // The same by pointers, for callers that keep their own memory.
  void Apply(const float* x, int64_t rows, float* y) const;
  // Matrices over the same inputs as if they stood one below the other: y [rows, the sum of their out()]. The bits of
  // Apply of each. Threads get their share of every matrix, so that those of other formats make none of them wait.
  static void ApplyAll(std::span<const PackedLinear> parts, const at::Tensor& x, at::Tensor& y);
  static void ApplyAll(std::span<const PackedLinear> parts, const float* x, int64_t rows, float* y);

  bool loaded() const { return packed_.defined(); }
  const PackedLayout& layout() const { return view_.layout(); }
  int64_t in() const { return layout().in; }
  int64_t out() const { return layout().out; }
  int64_t bytes() const { return layout().bytes(); }
  const at::Tensor& packed() const { return packed_; }
  // The weights as they are multiplied, float32 [out, in]: for tests and for tables.
  at::Tensor Decoded() const;
  // What Pack keeps, as the allocator counts it; `exact_half` where float32 weights will be found to fit.
  static int64_t BytesKept(int64_t out, int64_t in, Precision precision, int64_t group = 64, bool exact_half = false);

 private:
  static void ApplyPrepared(std::span<const PackedLinear> parts, const float* x, int64_t rows, float* prepared,
                            float* y, int64_t y_stride);
  at::Tensor packed_;  // uint8 [bytes]
  at::Tensor bias_;
  PackedView view_;
};

// A problem of `name` where float16 would make an infinity of a number. Undefined tensors fit.
void CheckFitsHalf(WeightReader& weights, const std::string& name, const at::Tensor& tensor);

// "<layer>.weight" [out_each, in] of each of `layers`, one below the other, as one matrix of `format`. Where the
// reader's checkpoint is a packed copy it lies there whole: "<JoinedName(layers)>.packed", uint8.
PackedLinear ReadPackedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t out_each,
                              int64_t in, WeightFormat format);

}  // namespace grym
