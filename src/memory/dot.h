// Inner products of 128 numbers, the fastest way this processor has.
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

inline constexpr size_t kVectorDims = 128;
// The signs of half a vector are scanned in groups of 32 vectors: byte b of vector v of a group lies at 32 * b + v.
inline constexpr size_t kHalfSignBytes = kVectorDims / 16;
inline constexpr size_t kSignGroup = 32;
inline constexpr size_t kHalfTableBytes = 2 * kHalfSignBytes * 16;

struct DotKernels {
  const char* name;
  // out[i] = codes[i * 128 ..] . query for i < count. Exact: 127 * 32767 * 128 fits in 32 bits.
  void (*codes_by_query)(const int8_t* codes, size_t count, const int16_t* query, int32_t* out);
  // A vector's score by a half is the sum over the 16 half bytes h of its signs there, low ones first, of
  // table[16 * position + h], whose entries are at most 124. best[g]: the highest of group g, by one half.
  void (*best_scores)(const uint8_t* signs, size_t groups, const uint8_t* table, uint16_t* best);
  // One group by both halves, whose tables follow each other: first[v] by the first, whole[v] by both together.
  // Returns the highest whole score.
  int (*group_scores)(const uint8_t* first_signs, const uint8_t* second_signs, const uint8_t* tables, uint16_t* first,
                      uint16_t* whole);
  float (*floats)(const float* a, const float* b);  // rounds differently per kernel, within 1e-6 for unit vectors
};

// AVX2 with FMA where the processor has it, else the portable one; decided once.
const DotKernels& BestDotKernels();
const DotKernels& PortableDotKernels();

}  // namespace grym
