#include "models/musicgen/packed_linear.h"

#include <algorithm>
#include <vector>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "nn/weight_codes.h"

namespace grym {
namespace {

constexpr int kOutputs = 4;  // rows of W at once: four streams, which the processor's prefetching follows
constexpr float kNothing[kLanes] = {};

GRYM_INLINE void TakeLanes(const float* from, EightLanes& to) { to = *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE float SumLanes(const EightLanes& sum) {
  float lanes[kLanes];
  *reinterpret_cast<EightLanes*>(lanes) = sum;
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// products [rows, kOutputs] of rows of x, `in` apart, and of four rows of W.
template <int kRows>
GRYM_INLINE void MultiplyTile(const float* const* w, const float* x, int64_t in, float* products) {
  EightLanes sums[kRows][kOutputs], a, b;
  for (int row = 0; row < kRows; ++row) {
    for (int o = 0; o < kOutputs; ++o) TakeLanes(kNothing, sums[row][o]);
  }
  int64_t i = 0;
  for (; i + kLanes <= in; i += kLanes) {
    for (int o = 0; o < kOutputs; ++o) {
      TakeLanes(w[o] + i, b);
      for (int row = 0; row < kRows; ++row) {
        TakeLanes(x + row * in + i, a);
        sums[row][o] = sums[row][o] + a * b;
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int o = 0; o < kOutputs; ++o) {
      float sum = SumLanes(sums[row][o]);
      for (int64_t j = i; j < in; ++j) sum += x[row * in + j] * w[o][j];
      products[row * kOutputs + o] = sum;
    }
  }
}

GRYM_HOT void MultiplyTwo(const float* const* w, const float* x, int64_t in, float* products) {
  MultiplyTile<2>(w, x, in, products);
}
GRYM_HOT void MultiplyOne(const float* const* w, const float* x, int64_t in, float* products) {
  MultiplyTile<1>(w, x, in, products);
}

// Row `row` of the matrix as floats: where it lies, or decoded into `room` [in].
const float* RowOf(const WeightMatrix& matrix, int64_t row, float* room) {
  const int64_t in = matrix.in;
  const auto wide = static_cast<size_t>(in);
  switch (matrix.precision) {
    case Precision::kFloat32: return matrix.plain.const_data_ptr<float>() + row * in;
    case Precision::kFloat16:
      std::copy_n(matrix.plain.const_data_ptr<c10::Half>() + row * in, in, room);
      return room;
    case Precision::kBFloat16:
      std::copy_n(matrix.plain.const_data_ptr<c10::BFloat16>() + row * in, in, room);
      return room;
    case Precision::kInt8:
      DecodeInt8(matrix.codes.const_data_ptr<int8_t>() + row * in, wide, matrix.scales.const_data_ptr<float>()[row],
                 room);
      return room;
    case Precision::kInt4:
      DecodeInt4(matrix.codes.const_data_ptr<uint8_t>() + row * matrix.codes.size(1), wide,
                 static_cast<size_t>(matrix.group),
                 matrix.scales.const_data_ptr<c10::Half>() + row * matrix.scales.size(1) * 2, room);
      return room;
  }
  return room;
}

}  // namespace

PackedLinear PackedLinear::Pack(const at::Tensor& weight, const at::Tensor& bias, Precision precision, int64_t group) {
  PackedLinear packed;
  packed.weight_ = WeightMatrix::Pack(weight.to(StorageType(precision)), precision, group);
  packed.bias_ = bias;
  packed.group_ = group;
  return packed;
}

int64_t PackedLinear::BytesKept(int64_t out, int64_t in, Precision precision, int64_t group) {
  return WeightMatrix::BytesKept(out, in, precision, group);
}

void PackedLinear::Apply(const at::Tensor& x, at::Tensor& y) const {
  const int64_t rows = x.size(0), wide = in(), high = out();
  const float* const inputs = x.const_data_ptr<float>();
  const float* const bias = bias_.defined() ? bias_.const_data_ptr<float>() : nullptr;
  float* const outputs = y.mutable_data_ptr<float>();
  at::parallel_for(0, (high + kOutputs - 1) / kOutputs, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> room(weight_.precision == Precision::kFloat32 ? 0 : static_cast<size_t>(kOutputs * wide));
    for (int64_t o = begin * kOutputs; o < std::min(end * kOutputs, high); o += kOutputs) {
      const int64_t count = std::min<int64_t>(kOutputs, high - o);
      const float* w[kOutputs];
      for (int i = 0; i < kOutputs; ++i) {
        w[i] = i < count ? RowOf(weight_, o + i, room.data() + i * (room.empty() ? 0 : wide)) : w[0];
      }
      float products[2 * kOutputs];
      for (int64_t row = 0; row < rows; row += 2) {
        const int64_t pair = std::min<int64_t>(2, rows - row);
        (pair == 2 ? MultiplyTwo : MultiplyOne)(w, inputs + row * wide, wide, products);
        for (int64_t i = 0; i < pair * kOutputs; ++i) {
          if (i % kOutputs >= count) continue;
          outputs[(row + i / kOutputs) * high + o + i % kOutputs] =
              products[i] + (bias ? bias[o + i % kOutputs] : 0.0f);
        }
      }
    }
  });
}

}  // namespace grym
