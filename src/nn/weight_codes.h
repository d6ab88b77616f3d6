// Rows of weights as 8 or 4 bit codes: made once while loading, read back for each product. Plain loops, no tensors.
#pragma once
#include <cstddef>
#include <cstdint>

#include <c10/util/Half.h>

namespace grym {

// weight ~ scale * code, code in [-127, 127]. Answers the scale. Of five widths of the grid, from the largest weight
// down to 0.8 of it, each followed by two rounds of least squares (scale = <w, q> / <q, q> for the codes q in force),
// the one with the least squared error. A row of zeros has scale 0.
float EncodeInt8(const float* weights, size_t count, int8_t* codes);
void DecodeInt8(const int8_t* codes, size_t count, float scale, float* weights);

// One group: weight ~ scale * code + offset, code in [0, 15], written one a byte. `scale_offset` are as stored, rounded
// to half; the codes are those for the rounded ones. Of eight widths from the group's range down to 0.65 of it, each
// followed by two rounds of least squares over scale and offset together, the one with the least squared error.
void EncodeInt4(const float* weights, size_t count, uint8_t* codes, c10::Half* scale_offset);
// A row of `count` codes, two a byte, with a pair of scale and offset for each `group`.
void DecodeInt4(const uint8_t* packed, size_t count, size_t group, const c10::Half* scale_offset, float* weights);

// Sum of products in 16 interleaved partial sums.
float DotProduct(const float* a, const float* b, size_t count);

}  // namespace grym
