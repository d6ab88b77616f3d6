// What int8 and int4 are for: matrices; and what the rest of a component is kept in beside them.
#pragma once
#include "runtime/device.h"

namespace grym {

// Whether weights are kept as codes, which matrices alone can be.
constexpr bool IsPacked(Precision precision) { return precision == Precision::kInt8 || precision == Precision::kInt4; }

// What a component of packed precision keeps that is no matrix: convolutions, tables of which rows are taken. On the CPU
// half of float32, which is what is computed in there; a GPU's kernels want the compute type. Of another precision it is
// that one.
inline Precision BesideMatrices(Precision precision, c10::Device device) {
  if (!IsPacked(precision)) return precision;
  return device.is_cpu() ? Precision::kFloat16 : Precision::kFloat32;
}

}  // namespace grym
