// Inputs as the products take them.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "dsp/dispatch.h"
#include "quant/product.h"

namespace grym {
namespace {

constexpr int64_t kWidestGroup = 128;
constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: what is added to it becomes whole

// Floats that the inputs themselves take.
int64_t InputFloats(const PackedLayout& layout) {
  if (!HasGroups(layout.format)) return layout.padded_in();
  return layout.padded_in() / (TakesByteInputs(layout) ? 4 : 2);
}

// The bits of the largest size: sizes are ordered as their bits are, and what is not finite comes above all.
GRYM_HOT uint32_t LargestSize(const float* GRYM_RESTRICT x, int64_t count) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t size = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
    largest = size > largest ? size : largest;
  }
  return largest;
}

// Answers the sum of what is written. |x * inverse| is at most `most` but for rounding, and a NaN becomes -most.
GRYM_HOT int32_t RoundInputs(const float* GRYM_RESTRICT x, int64_t count, float inverse, float most,
                             int16_t* GRYM_RESTRICT to) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float whole = (x[i] * inverse + kRounder) - kRounder;
    const float raised = whole > -most ? whole : -most;
    const auto number = static_cast<int32_t>(raised < most ? raised : most);
    to[i] = static_cast<int16_t>(number);
    sum += number;
  }
  return sum;
}

GRYM_HOT void PutBytes(const int16_t* GRYM_RESTRICT numbers, int64_t count, int8_t* GRYM_RESTRICT to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<int8_t>(numbers[i]);
}

// The two middle ones of each four change places.
GRYM_HOT void PutWords(const int16_t* GRYM_RESTRICT numbers, int64_t count, int16_t* GRYM_RESTRICT to) {
  for (int64_t i = 0; i < count; i += 4) {
    to[i] = numbers[i];
    to[i + 1] = numbers[i + 2];
    to[i + 2] = numbers[i + 1];
    to[i + 3] = numbers[i + 3];
  }
}

// How one group of inputs is rounded. What is not finite spoils the result, as it does with floats.
struct GroupRounding {
  float scale = 0, inverse = 0;
};
GroupRounding RoundingOf(const float* x, int64_t count, float most) {
  const uint32_t largest = LargestSize(x, count);
  if (largest >= 0x7f800000u) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const float scale = std::bit_cast<float>(largest) / most, inverse = 1 / scale;
  return std::isfinite(inverse) ? GroupRounding{scale, inverse} : GroupRounding{};
}

void PrepareGroups(const PackedLayout& layout, const float* x, float* prepared) {
  const bool to_bytes = TakesByteInputs(layout);
  const float most = to_bytes ? 127.0f : 32767.0f;
  auto* const words = reinterpret_cast<int16_t*>(prepared);
  auto* const bytes = reinterpret_cast<int8_t*>(prepared);
  float* const scales = prepared + InputFloats(layout);
  float* const sums = scales + layout.groups();
  auto* const shifts = reinterpret_cast<int32_t*>(sums + layout.groups());
  std::array<int16_t, kWidestGroup> numbers;
  for (int64_t g = 0; g < layout.groups(); ++g) {
    const int64_t from = g * layout.group, count = std::min(layout.group, layout.in - from);
    const int64_t padded = layout.group_columns(g);
    const GroupRounding group = RoundingOf(x + from, count, most);
    const int32_t sum = RoundInputs(x + from, count, group.inverse, most, numbers.data());
    std::fill(numbers.begin() + count, numbers.begin() + padded, int16_t{0});
    if (to_bytes) {
      PutBytes(numbers.data(), padded, bytes + from);
    } else {
      PutWords(numbers.data(), padded, words + from);
    }
    scales[g] = group.scale;
    sums[g] = group.scale * static_cast<float>(sum);
    shifts[g] = CodeCentre(layout.format) * sum;
  }
}

}  // namespace

PreparedRow PreparedRow::At(const PackedLayout& layout, const float* prepared) {
  const float* const scales = prepared + InputFloats(layout);
  const float* const sums = scales + layout.groups();
  return {prepared,
          reinterpret_cast<const int16_t*>(prepared),
          reinterpret_cast<const int8_t*>(prepared),
          scales,
          sums,
          reinterpret_cast<const int32_t*>(sums + layout.groups())};
}

int64_t PreparedRowFloats(const PackedLayout& layout) {
  return (InputFloats(layout) + 3 * layout.groups() + 15) / 16 * 16;
}

void PrepareInputs(const PackedLayout& layout, const float* x, int64_t rows, float* prepared) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows; ++r, x += layout.in, prepared += stride) {
    if (HasGroups(layout.format)) {
      PrepareGroups(layout, x, prepared);
    } else {
      std::memcpy(prepared, x, sizeof(float) * static_cast<size_t>(layout.in));
      std::fill(prepared + layout.in, prepared + layout.padded_in(), 0.0f);
    }
  }
}

}  // namespace grym
