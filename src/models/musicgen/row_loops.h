// What a step does to rows of numbers between its matrix products. A row's result has the same bits wherever it stands.
#pragma once
#include <cstdint>

#include "nn/activation.h"

namespace grym {

// x += add (left out where it is nullptr), then out = norm(x) weight + bias over `dim` numbers: a residual and the
// layer norm behind it. `out` is none of the others.
void AddAndNorm(float* x, const float* add, const float* weight, const float* bias, float epsilon, int64_t dim,
                float* out);
void ActivateRow(Activation activation, float* x, int64_t count);
// sum += row.
void AddRow(const float* row, int64_t count, float* sum);
// sum += [cos(position f) over all f, sin(position f) over all f], an odd last number stays. Source: transformers 5.23,
// MusicgenSinusoidalPositionalEmbedding: cosines first, unlike "Attention Is All You Need", section 3.5.
void AddPosition(const float* frequencies, int64_t count, int64_t position, float* sum);
// Whether all of the float32 numbers are float16 numbers as well.
bool AllFitHalf(const uint32_t* bits, int64_t count);

}  // namespace grym
