#include "models/musicgen/row_loops.h"

#include <cmath>

#include "dsp/dispatch.h"
#include "models/musicgen/vector_math.h"

namespace grym {
namespace {

GRYM_INLINE float SumOfLanes(const float* lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

GRYM_HOT void NormRow(const float* GRYM_RESTRICT x, const float* GRYM_RESTRICT weight, const float* GRYM_RESTRICT bias,
                      float epsilon, int64_t dim, float* GRYM_RESTRICT out) {
  float lanes[kLanes] = {};
  EightLanes sum = *reinterpret_cast<const EightLanes*>(lanes);
  EightLanes square = sum;
  int64_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) sum = sum + *reinterpret_cast<const EightLanes*>(x + i);
  *reinterpret_cast<EightLanes*>(lanes) = sum;
  float total = SumOfLanes(lanes);
  for (; i < dim; ++i) total += x[i];
  const float mean = total / static_cast<float>(dim);
  // The deviations' squares in a second pass: their sum from squares of x loses digits where the mean is large.
  for (i = 0; i < dim; ++i) out[i] = x[i] - mean;
  for (i = 0; i + kLanes <= dim; i += kLanes) {
    const EightLanes d = *reinterpret_cast<const EightLanes*>(out + i);
    square = square + d * d;
  }
  *reinterpret_cast<EightLanes*>(lanes) = square;
  total = SumOfLanes(lanes);
  for (; i < dim; ++i) total += out[i] * out[i];
  const float scale = 1.0f / std::sqrt(total / static_cast<float>(dim) + epsilon);
  for (i = 0; i < dim; ++i) out[i] = out[i] * scale * weight[i] + bias[i];
}

GRYM_HOT void GeluRow(float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = VectorGelu(x[i]);
}

GRYM_HOT void AddTo(const float* GRYM_RESTRICT row, int64_t count, float* GRYM_RESTRICT sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += row[i];
}

GRYM_HOT bool BlockFitsHalf(const uint32_t* GRYM_RESTRICT bits, int64_t count) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t magnitude = bits[i] & 0x7fffffffu;
    // Below 2^-14 the halves are the multiples of 2^-24; from there to 65504 they have ten bits behind the point.
    const float small = std::bit_cast<float>(magnitude < 0x38800000u ? magnitude : 0u) * 16777216.0f;
    const uint32_t off_grid = static_cast<float>(static_cast<int32_t>(small)) != small ? 1u : 0u;
    const uint32_t off_bits = magnitude < 0x38800000u ? 0u : (magnitude & 0x1fffu);
    bad |= off_grid | off_bits | (magnitude > 0x477fe000u ? 1u : 0u);
  }
  return bad == 0;
}

}  // namespace

void AddAndNorm(float* x, const float* add, const float* weight, const float* bias, float epsilon, int64_t dim,
                float* out) {
  if (add) AddTo(add, dim, x);
  NormRow(x, weight, bias, epsilon, dim, out);
}

void AddRow(const float* row, int64_t count, float* sum) { AddTo(row, count, sum); }

void ActivateRow(Activation activation, float* x, int64_t count) {
  switch (activation) {
    case Activation::kGelu: return GeluRow(x, count);
    case Activation::kRelu:
      for (int64_t i = 0; i < count; ++i) x[i] = x[i] < 0 ? 0 : x[i];
      return;
    // No published checkpoint has one of the others.
    case Activation::kGeluTanh:
      for (int64_t i = 0; i < count; ++i) {
        const float inner = 0.797884561f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        x[i] = 0.5f * x[i] * (1 + std::tanh(inner));
      }
      return;
    case Activation::kSilu:
      for (int64_t i = 0; i < count; ++i) x[i] = x[i] / (1 + std::exp(-x[i]));
      return;
    case Activation::kTanh:
      for (int64_t i = 0; i < count; ++i) x[i] = std::tanh(x[i]);
      return;
  }
}

void AddPosition(const float* frequencies, int64_t count, int64_t position, float* sum) {
  for (int64_t i = 0; i < count; ++i) {
    const float angle = static_cast<float>(position) * frequencies[i];
    sum[i] += std::cos(angle);
    sum[count + i] += std::sin(angle);
  }
}

bool AllFitHalf(const uint32_t* bits, int64_t count) {
  constexpr int64_t kBlock = 4096;
  for (int64_t i = 0; i < count; i += kBlock) {
    if (!BlockFitsHalf(bits + i, count - i < kBlock ? count - i : kBlock)) return false;
  }
  return true;
}

}  // namespace grym
