// y = x W' + b over a packed matrix, for few rows at the speed at which memory is read.
//
// On the exact paths inputs stay float32: a code becomes a float, is multiplied with the input and added, and each
// group's sum is scaled. That is two operations for each eight weights and row beside the decoding's two, which int8
// and int4 do not leave time for (twice the time of reading int4, measured on AVX2). The path in use for them rounds
// each group of a row's inputs to whole numbers of 16 bits, a scale a group: sums of products of whole numbers are
// exact, and what the rounding leaves is 4e-5 of the result, a hundredth of what int8 weights leave. Inputs of 8
// bits would be faster still, but cost as much as int8 weights do.
//
// A row's result is the same bits for any number of rows in a call and any split of the output rows: eight partial
// sums, always over the same columns in the same order.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/layout.h"

namespace grym {

enum class ProductPath {
  kPortable,  // plain C++, every machine
  kAvx2,      // AVX2, FMA and F16C, inputs as they are
  kInt16,     // the same machines; inputs rounded to 16 bits for int8 and int4 weights
};
const char* ProductPathName(ProductPath path);
// Whether this machine (and this build) can run it.
bool ProductPathRuns(ProductPath path);
// The fastest that runs. The exact paths agree to 2e-6 of the root of the sum of the squared products, kInt16 with them
// to 1e-4 of it, on inputs of like size.
ProductPath BestProductPath();

// Floats that `rows` prepared rows of inputs take.
inline int64_t PreparedRowFloats(const PackedLayout& layout) {
  return layout.padded_in() + (layout.groups() + 7) / 8 * 8;
}
// x float32 [rows, in] -> prepared [rows, PreparedRowFloats], for `path` alone: filled up with zeros to whole tiles;
// for int8 and int4 in the order of the codes and scaled by the powers of two that undo a code's place in its word,
// followed by the sums of the groups; for kInt16 the rounded numbers, then the groups' scales, then their sums.
// Aligned to 64 bytes it is read fastest. Exact on the exact paths, but for inputs below 2^-102.
void PrepareInputs(const PackedLayout& layout, const float* x, int64_t rows, float* prepared, ProductPath path);

// y[r * layout.out + o] = sum over i of x[r][i] weight[o][i], plus bias[o] where bias is not null, for the output
// rows o in the blocks [begin_block, end_block) of the matrix and all prepared rows r. Allocates nothing. Other
// blocks may be computed by other threads meanwhile. The path must run here.
void MultiplyBlocks(const PackedView& weights, const float* prepared, int64_t rows, int64_t begin_block,
                    int64_t end_block, const float* bias, float* y, ProductPath path);

// One block [kPackedRows] for `rows` rows: what a path implements. `sums` [rows, kPackedRows] is written.
using BlockProduct = void (*)(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows,
                              float* sums);
BlockProduct PortableBlockProduct(WeightFormat format);
// Null where the compiler cannot make them.
BlockProduct Avx2BlockProduct(WeightFormat format);
BlockProduct Int16BlockProduct(WeightFormat format);

}  // namespace grym
