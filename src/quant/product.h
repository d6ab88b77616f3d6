// y = x W' + b over a packed matrix, for few rows at the speed at which memory is read.
//
// Floating weights take inputs as they are. For int8 and int4 each group of a row's inputs is rounded to whole numbers,
// a scale a group: decoding codes to floats would take longer than reading them, and sums of products of whole numbers
// are exact. With 16 bits the rounding leaves 4e-5 of the result, a hundredth of what int8 weights leave. With 8 bits it
// leaves 0.65 %, as much as int8 weights do, so that only int4 weights in groups of 64 or 128 are multiplied so: theirs
// is 8.3 %, and 8.33 % with both.
//
// A row's result is the same bits for any number of rows in a call and any split of the output rows. With int8 and int4
// it is the same bits on every path and machine; with floating weights on the two vector paths, whose products are
// fused, and within 4e-6 of the root of the sum of the squared products on the portable one.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/layout.h"

namespace grym {

enum class ProductPath {
  kPortable,  // plain C++, every machine
  kAvx2,      // AVX2, FMA and F16C
  kAvx512,    // AVX-512 F, BW and VNNI
};
const char* ProductPathName(ProductPath path);
// Whether this machine (and this build) can run it.
bool ProductPathRuns(ProductPath path);
// The fastest that runs.
ProductPath BestProductPath();

// What is rounded to 8 bits; other codes take inputs of 16.
constexpr bool TakesByteInputs(const PackedLayout& layout) {
  return layout.format == WeightFormat::kInt4 && layout.group >= 64;
}

// One prepared row of inputs: float32 [padded_in] for floating weights; else whole numbers and, for each group, what a
// whole number stands for, the group's sum of inputs and the sum of whole numbers times the codes' centre.
struct PreparedRow {
  static PreparedRow At(const PackedLayout& layout, const float* prepared);
  const float* floats;    // [padded_in]
  const int16_t* words;   // [padded_in]; of each four columns 0, 2, 1, 3: as 32-bit words hold the codes' halves
  const int8_t* bytes;    // [padded_in]
  const float* scales;    // [groups]
  const float* sums;      // [groups]
  const int32_t* shifts;  // [groups]
};
// Floats that one takes.
int64_t PreparedRowFloats(const PackedLayout& layout);
// x float32 [rows, in] -> prepared [rows, PreparedRowFloats]. Aligned to 64 bytes it is read fastest. A group with an
// input that is not finite spoils the row's results, as it would with floats.
void PrepareInputs(const PackedLayout& layout, const float* x, int64_t rows, float* prepared);

// y[r * layout.out + o] = sum over i of x[r][i] weight[o][i], plus bias[o] where bias is not null, for the output
// rows o in the blocks [begin_block, end_block) of the matrix and all prepared rows r. Rows of y begin `y_stride`
// floats apart where that is not 0: then they are a part of longer ones. Allocates nothing. Other blocks may be computed
// by other threads meanwhile. The path must run here.
void MultiplyBlocks(const PackedView& weights, const float* prepared, int64_t rows, int64_t begin_block,
                    int64_t end_block, const float* bias, float* y, ProductPath path, int64_t y_stride = 0);

// One block for `rows` prepared rows: what a path implements. `sums` [rows, kPackedRows] is written.
using BlockProduct = void (*)(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows,
                              float* sums);
BlockProduct PortableBlockProduct(const PackedLayout& layout);
// Null where the compiler cannot make them.
BlockProduct Avx2BlockProduct(const PackedLayout& layout);
BlockProduct Avx512BlockProduct(const PackedLayout& layout);

}  // namespace grym
