// Rows of weights as 8 or 4 bit codes, read back as float32: what the converting layers (nn/linear.h) keep. The product
// that reads codes as they are has a layout of its own (quant/layout.h).
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

// weight ~ scale * code, code in [-127, 127]. Answers the scale, that of the least squared error (quant/grid_fit.h).
// A row of zeros has scale 0.
float EncodeInt8(const float* weights, size_t count, int8_t* codes);
void DecodeInt8(const int8_t* codes, size_t count, float scale, float* weights);

// One group: weight ~ scale * code + offset, code in [0, 15], written one a byte. `scale_offset` as bits of float16;
// the codes are those for the rounded ones.
void EncodeInt4(const float* weights, size_t count, uint8_t* codes, uint16_t* scale_offset);
// A row of `count` codes, two a byte, with a pair of scale and offset for each `group`.
void DecodeInt4(const uint8_t* packed, size_t count, size_t group, const uint16_t* scale_offset, float* weights);

// Sum of products in 16 interleaved partial sums.
float DotProduct(const float* a, const float* b, size_t count);

}  // namespace grym
