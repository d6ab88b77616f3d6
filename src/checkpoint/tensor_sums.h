// Numbers that tell one set of weights from another, and the search for what is no number.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"

namespace grym {

// Over all elements, in double, in the order of the file in eight interleaved partial sums: the same bits on every
// machine. Bool counts as 0 or 1. NaN and infinities go through.
struct TensorSums {
  int64_t elements = 0;
  double sum = 0;
  double absolute_sum = 0;
};

// `bytes` holds whole elements of `type`, at any alignment.
TensorSums SumElements(std::span<const std::byte> bytes, ElementType type);
// Index of the first element that is NaN or infinite; nothing for integers.
std::optional<int64_t> FirstNonFinite(std::span<const std::byte> bytes, ElementType type);

// Of every tensor, by name. Pages are forgotten as it goes. Errors as of TensorFile::Bytes; Cancelled.
absl::StatusOr<std::map<std::string, TensorSums>> Sums(const TensorSet& set, const CancelToken& cancel = {});

struct NonFiniteElement {
  std::string tensor;
  int64_t index = 0;  // in the tensor's elements, row-major
};
// The first one in the order of names. Errors as of TensorFile::Bytes; Cancelled.
absl::StatusOr<std::optional<NonFiniteElement>> FindNonFinite(const TensorSet& set, const CancelToken& cancel = {});
// DataLoss (code "non_finite_weights") with the tensor's name, index and file, where there is one.
absl::Status CheckFinite(const TensorSet& set, const CancelToken& cancel = {});

}  // namespace grym
