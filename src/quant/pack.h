// From float32 rows to the packed layout.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "quant/layout.h"

namespace grym {

// Writes the output rows [begin, end) of `layout` to `packed`, which is where the whole matrix goes: layout.bytes(),
// aligned to 64 bytes. `weights` is float32 [end - begin, in], finite. begin must be a multiple of kPackedRows, and end
// too unless it is layout.out; the call with begin 0 writes the header. Calls for other rows may run on other threads
// meanwhile; every byte is written, padding included. Groups get the scales of the least squared error (quant/
// grid_fit.h): the relative error of Gaussian weights is 0.52 % for int8 and 8.3 % for int4 in groups of 64.
void PackRows(const PackedLayout& layout, const float* weights, int64_t begin, int64_t end, uint8_t* packed);

// Every value is exactly a float16 (or a NaN), so that kFloat16 keeps what float32 says.
bool FitsFloat16(std::span<const float> weights);

}  // namespace grym
