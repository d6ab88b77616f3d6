// Inner products of 128 numbers, the fastest way this processor has.
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

inline constexpr size_t kVectorDims = 128;
// The signs of half a vector are scanned in groups of 32 vectors: byte b of vector v of a group lies at 32 * b + v.
inline constexpr size_t kHalfSignBytes = kVectorDims / 16;
inline constexpr size_t kSignGroup = 32;

struct DotKernels {
  const char* name;
  // out[i] = codes[i * 128 ..] . query for i < count. Exact: 127 * 32767 * 128 fits in 32 bits.
  void (*codes_by_query)(const int8_t* codes, size_t count, const int16_t* query, int32_t* out);
  // scores[v] = sum over the 16 half bytes h of vector v's signs, low ones first, of table[16 * position + h], whose
  // entries are at most 124; best[g] is the highest of group g.
  void (*signs_by_table)(const uint8_t* signs, size_t groups, const uint8_t* table, uint16_t* scores, uint16_t* best);
  float (*floats)(const float* a, const float* b);  // rounds differently per kernel, within 1e-6 for unit vectors
};

// AVX2 with FMA where the processor has it, else the portable one; decided once.
const DotKernels& BestDotKernels();
const DotKernels& PortableDotKernels();

}  // namespace grym
