#include "nn/token_passes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/dispatch.h"
#include "nn/vector_exp.h"

namespace grym {
namespace {

constexpr int kPassLanes = grym::kLanes;
constexpr int64_t kRowsAtOnce = 16;

// Mean over all of a row in eight running sums.
GRYM_HOT float RowMean(const float* row, int64_t dim) {
  float sums[kPassLanes] = {}, sum = 0;
  for (int64_t at = 0; at < dim; at += kPassLanes) {
    for (int lane = 0; lane < kPassLanes; ++lane) sums[lane] += row[at + lane];
  }
  for (const float one : sums) sum += one;
  return sum / static_cast<float>(dim);
}

GRYM_HOT float RowVariance(const float* row, int64_t dim, float mean) {
  float sums[kPassLanes] = {}, sum = 0;
  for (int64_t at = 0; at < dim; at += kPassLanes) {
    for (int lane = 0; lane < kPassLanes; ++lane) {
      const float away = row[at + lane] - mean;
      sums[lane] += away * away;
    }
  }
  for (const float one : sums) sum += one;
  return sum / static_cast<float>(dim);
}

GRYM_HOT void ScaleRow(const float* row, int64_t dim, float mean, float factor, const float* GRYM_RESTRICT weight,
                       const float* GRYM_RESTRICT bias, float* out) {
#pragma GCC ivdep  // out is row or does not overlap it
  for (int64_t at = 0; at < dim; ++at) out[at] = (row[at] - mean) * factor * weight[at] + bias[at];
}

// row may be out.
void NormRow(const LayerNorm& norm, const float* row, int64_t dim, float* out) {
  const float mean = RowMean(row, dim);
  const double variance = RowVariance(row, dim, mean);
  ScaleRow(row, dim, mean, static_cast<float>(1 / std::sqrt(variance + norm.epsilon)),
           norm.weight.const_data_ptr<float>(), norm.bias.const_data_ptr<float>(), out);
}

GRYM_HOT void AddRows(float* GRYM_RESTRICT to, const float* GRYM_RESTRICT one, const float* GRYM_RESTRICT other,
                      int64_t dim) {
  for (int64_t at = 0; at < dim; ++at) to[at] += one[at] + other[at];
}
GRYM_HOT void AddRow(float* GRYM_RESTRICT to, const float* GRYM_RESTRICT one, int64_t dim) {
  for (int64_t at = 0; at < dim; ++at) to[at] += one[at];
}

// With h the normal distribution's tail beyond |x|: max(x, 0) - |x| h, which loses nothing below zero. No branch has
// arithmetic in it, or the loop would stay one of single numbers.
GRYM_HOT void GeluRow(float* GRYM_RESTRICT row, const float* GRYM_RESTRICT shift, int64_t dim) {
  for (int64_t at = 0; at < dim; ++at) {
    const float x = row[at] + shift[at], size = std::fabs(x), positive = ValueIf(x > 0.0f, x, 0.0f);
    const float t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * size);
    float tail = 1.061405429f;
    tail = tail * t - 1.453152027f;
    tail = tail * t + 1.421413741f;
    tail = tail * t - 0.284496736f;
    tail = tail * t + 0.254829592f;
    row[at] = positive - size * (0.5f * t * tail * VectorExp(-0.5f * x * x));
  }
}

// Zeros where there is no vector.
struct OptionalRow {
  OptionalRow(const at::Tensor& vector, int64_t dim) : zeros(vector.defined() ? 0 : static_cast<size_t>(dim), 0.0f) {
    data = vector.defined() ? vector.const_data_ptr<float>() : zeros.data();
  }
  std::vector<float> zeros;
  const float* data;
};

}  // namespace

void NormGathered(const LayerNorm& norm, const at::Tensor& x, const at::Tensor& index, int64_t parts,
                  at::Tensor& out) {
  const int64_t count = x.size(0), dim = x.size(1), whole = parts * dim;
  const float* const from = x.const_data_ptr<float>();
  const int64_t* const places = index.const_data_ptr<int64_t>();
  float* const to = out.mutable_data_ptr<float>();
  at::parallel_for(0, out.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t* const own = places + r * parts;
      float* const row = to + r * whole;
      bool any = false;
      for (int64_t i = 0; i < parts; ++i) any = any || own[i] < count;
      if (!any) {
        std::fill_n(row, whole, 0.0f);
      } else if (parts == 1) {
        NormRow(norm, from + own[0] * dim, dim, row);
      } else {
        for (int64_t i = 0; i < parts; ++i) {
          if (own[i] < count) {
            std::copy_n(from + own[i] * dim, dim, row + i * dim);
          } else {
            std::fill_n(row + i * dim, dim, 0.0f);
          }
        }
        NormRow(norm, row, whole, row);
      }
    }
  });
}

void AddGatheredAndNorm(const at::Tensor& addend, const at::Tensor& index, const at::Tensor& shift,
                        const LayerNorm& norm, const at::Tensor& later, at::Tensor& x, at::Tensor& out) {
  const int64_t dim = x.size(1);
  const OptionalRow first(shift, dim), last(later, dim);
  const float* const from = addend.const_data_ptr<float>();
  const int64_t* const places = index.const_data_ptr<int64_t>();
  float* const sums = x.mutable_data_ptr<float>();
  float* const to = out.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* const row = sums + r * dim;
      AddRows(row, from + places[r] * dim, first.data, dim);
      NormRow(norm, row, dim, to + r * dim);
      AddRow(row, last.data, dim);
    }
  });
}

void ShiftedGelu(const at::Tensor& shift, at::Tensor& x) {
  const int64_t dim = x.size(1);
  const OptionalRow added(shift, dim);
  float* const rows = x.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) GeluRow(rows + r * dim, added.data, dim);
  });
}

}  // namespace grym
