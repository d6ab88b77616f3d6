// Inner products of 128 numbers, the fastest way this processor has.
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

inline constexpr size_t kVectorDims = 128;

struct DotKernels {
  const char* name;
  // out[i] = codes[i * 128 ..] . query for i < count. Exact: 127 * 32767 * 128 fits in 32 bits.
  void (*codes_by_query)(const int8_t* codes, size_t count, const int16_t* query, int32_t* out);
  int32_t (*codes_by_codes)(const int8_t* a, const int8_t* b);
  float (*floats)(const float* a, const float* b);  // rounds differently per kernel, within 1e-6 for unit vectors
};

// AVX2 with FMA where the processor has it, else the portable one; decided once.
const DotKernels& BestDotKernels();
const DotKernels& PortableDotKernels();

}  // namespace grym
