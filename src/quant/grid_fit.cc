#include "quant/grid_fit.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"

namespace grym {
namespace {

// Adding and taking away 1.5 * 2^23 rounds to the nearest whole number, ties to even, in plain arithmetic.
constexpr float kGridRounder = 12582912.0f;
constexpr int kWidths = kLanes;
constexpr int kFitRounds = 3;
constexpr size_t kSumPart = 512;  // weights whose sums stay in float

GRYM_INLINE void Clamp(EightLanes& v, const EightLanes& low, const EightLanes& high) {
#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
  v = v < low ? low : v;
  v = v > high ? high : v;
#else
  for (int i = 0; i < kLanes; ++i) v.v[i] = std::min(std::max(v.v[i], low.v[i]), high.v[i]);
#endif
}

using EightFloats = std::array<float, kWidths>;

// One candidate a lane.
struct Candidates {
  EightFloats scale, offset, inverse, shift, low, high;
};

// For the codes q of each candidate and what they leave, d = w - scale q - offset.
struct GridSums {
  EightFloats d, dq, q, qq, dd;
};

GRYM_HOT void SumOverWeights(const float* GRYM_RESTRICT w, size_t count, const Candidates& grids, GridSums& sums) {
  const EightLanes scale = *reinterpret_cast<const EightLanes*>(grids.scale.data());
  const EightLanes offset = *reinterpret_cast<const EightLanes*>(grids.offset.data());
  const EightLanes inverse = *reinterpret_cast<const EightLanes*>(grids.inverse.data());
  const EightLanes shift = *reinterpret_cast<const EightLanes*>(grids.shift.data());
  const EightLanes low = *reinterpret_cast<const EightLanes*>(grids.low.data());
  const EightLanes high = *reinterpret_cast<const EightLanes*>(grids.high.data());
  EightLanes d = 0.0f * scale, dq = d, q = d, qq = d, dd = d;
  for (size_t i = 0; i < count; ++i) {
    const float weight = w[i];
    EightLanes code = (-kGridRounder) + (kGridRounder + (weight * inverse + shift));
    Clamp(code, low, high);
    const EightLanes rest = weight - (scale * code + offset);
    d = d + rest;
    dq = dq + rest * code;
    q = q + code;
    qq = qq + code * code;
    dd = dd + rest * rest;
  }
  *reinterpret_cast<EightLanes*>(sums.d.data()) = d;
  *reinterpret_cast<EightLanes*>(sums.dq.data()) = dq;
  *reinterpret_cast<EightLanes*>(sums.q.data()) = q;
  *reinterpret_cast<EightLanes*>(sums.qq.data()) = qq;
  *reinterpret_cast<EightLanes*>(sums.dd.data()) = dd;
}

void SumOverAll(const float* w, size_t count, const Candidates& grids, GridSums& sums) {
  SumOverWeights(w, std::min(count, kSumPart), grids, sums);
  if (count <= kSumPart) return;
  std::array<double, 5 * kWidths> totals{};
  for (size_t from = 0; from < count; from += kSumPart) {
    if (from > 0) SumOverWeights(w + from, std::min(kSumPart, count - from), grids, sums);
    const EightFloats* const parts[5] = {&sums.d, &sums.dq, &sums.q, &sums.qq, &sums.dd};
    for (size_t i = 0; i < totals.size(); ++i) totals[i] += (*parts[i / kWidths])[i % kWidths];
  }
  EightFloats* const whole[5] = {&sums.d, &sums.dq, &sums.q, &sums.qq, &sums.dd};
  for (size_t i = 0; i < totals.size(); ++i) (*whole[i / kWidths])[i % kWidths] = static_cast<float>(totals[i]);
}

// Rounded to half or bfloat16 without a branch, so that eight go at once. From 65520 on half is no finite number.
GRYM_INLINE float ToHalfNumber(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits & 0x80000000u, size = bits & 0x7fffffffu;
  const float small = (std::bit_cast<float>(size) + 0.5f) - 0.5f;
  const float normal = std::bit_cast<float>((size + 0xfffu + ((size >> 13) & 1u)) & ~0x1fffu);
  float rounded = size < 0x38800000u ? small : normal;
  rounded = size >= 0x477ff000u ? HUGE_VALF : rounded;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(rounded) | sign);
}

GRYM_INLINE float ToBFloat16Number(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

GRYM_HOT void RoundEightToHalf(float* values) {
  for (int i = 0; i < kWidths; ++i) values[i] = ToHalfNumber(values[i]);
}

GRYM_HOT void RoundEightToBFloat16(float* values) {
  for (int i = 0; i < kWidths; ++i) values[i] = ToBFloat16Number(values[i]);
}

void RoundEight(GridNumbers numbers, EightFloats& values) {
  if (numbers == GridNumbers::kFloat16) RoundEightToHalf(values.data());
  if (numbers == GridNumbers::kBFloat16) RoundEightToBFloat16(values.data());
}

float RoundOne(GridNumbers numbers, float value) {
  if (numbers == GridNumbers::kFloat16) return ToHalfNumber(value);
  return numbers == GridNumbers::kBFloat16 ? ToBFloat16Number(value) : value;
}

// What follows from scale and offset. A candidate that cannot be used gets a scale of 0 and so never wins by it.
GRYM_HOT void CompleteEight(float* GRYM_RESTRICT scale, float* GRYM_RESTRICT offset, float* GRYM_RESTRICT inverse,
                            float* GRYM_RESTRICT shift) {
  for (int i = 0; i < kWidths; ++i) {
    const bool usable = scale[i] >= 0x1p-126f && scale[i] <= 0x1p126f && std::fabs(offset[i]) <= FLT_MAX;
    const float safe = usable ? scale[i] : 1.0f, inverted = 1.0f / safe;
    scale[i] = usable ? scale[i] : 0.0f;
    offset[i] = usable ? offset[i] : 0.0f;
    inverse[i] = usable ? inverted : 0.0f;
    shift[i] = usable ? -offset[i] * inverted : 0.0f;
  }
}

// The correction of scale and offset by least squares over what is left.
GRYM_HOT void CorrectEight(const GridSums& sums, float count, bool with_offset, float* GRYM_RESTRICT scale,
                           float* GRYM_RESTRICT offset) {
  const float both = with_offset ? 1.0f : 0.0f;
  for (int i = 0; i < kWidths; ++i) {
    const float d = both * sums.d[i], q = both * sums.q[i];
    const float spread = count * sums.qq[i] - q * q;
    const float by_scale = spread > 0 ? (count * sums.dq[i] - d * q) / (spread > 0 ? spread : 1.0f) : 0.0f;
    scale[i] += by_scale;
    offset[i] += (d - by_scale * q) / count;
  }
}

struct GridRange {
  float low, high;
};

GRYM_HOT GridRange RangeOfWeights(const float* GRYM_RESTRICT weights, size_t count) {
  float lows[kLanes], highs[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) lows[lane] = highs[lane] = weights[0];
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float weight = weights[i + static_cast<size_t>(lane)];
      lows[lane] = weight < lows[lane] ? weight : lows[lane];
      highs[lane] = weight > highs[lane] ? weight : highs[lane];
    }
  }
  for (; i < count; ++i) {
    lows[0] = std::min(lows[0], weights[i]);
    highs[0] = std::max(highs[0], weights[i]);
  }
  return {*std::min_element(lows, lows + kLanes), *std::max_element(highs, highs + kLanes)};
}

void FirstCandidates(const GridRange& range, const GridRule& rule, Candidates& grids) {
  const double levels = static_cast<double>(rule.high) - rule.low, centre = 0.5 * (rule.high + rule.low);
  const double largest = std::max(std::fabs(range.low), std::fabs(range.high));
  const double middle = 0.5 * (static_cast<double>(range.low) + range.high);
  const double width = rule.with_offset ? static_cast<double>(range.high) - range.low : 2 * largest;
  for (size_t i = 0; i < kWidths; ++i) {
    const double scale = width * (1 - (1 - rule.narrowest) * static_cast<double>(i) / (kWidths - 1)) / levels;
    grids.scale[i] = static_cast<float>(scale);
    grids.offset[i] = rule.with_offset ? static_cast<float>(middle - centre * scale) : 0.0f;
  }
  // The offset's rounding, some hundredth of it, would take up the grid.
  if (rule.with_offset && std::fabs(middle) > 32 * width / levels) {
    const double reach = std::max(1.0f, range.low < 0 ? -rule.low : rule.high);
    grids.scale[kWidths - 1] = static_cast<float>(largest / reach);
    grids.offset[kWidths - 1] = 0;
  }
  grids.low.fill(rule.low);
  grids.high.fill(rule.high);
}

// offset + scale * 1 holds more digits of a value than the offset alone.
FittedGrid GridOfOneValue(float value, const GridRule& rule) {
  if (!rule.with_offset) {
    const float scale = std::fabs(value) / rule.high;
    return {RoundOne(rule.numbers, scale), 0};
  }
  const float offset = RoundOne(rule.numbers, value);
  if (!std::isfinite(offset)) return {};
  return {RoundOne(rule.numbers, value - offset), offset};
}

template <typename Code>
void RoundToCodes(const float* GRYM_RESTRICT weights, size_t count, float inverse, float shift, float low, float high,
                  Code* GRYM_RESTRICT codes) {
  for (size_t i = 0; i < count; ++i) {
    const float code = (weights[i] * inverse + shift + kGridRounder) - kGridRounder;
    const float raised = code > low ? code : low;  // in this order NaN becomes `low`
    codes[i] = static_cast<Code>(static_cast<int32_t>(raised < high ? raised : high));
  }
}

GRYM_HOT void RoundToSigned(const float* GRYM_RESTRICT weights, size_t count, float inverse, float shift, float low,
                            float high, int8_t* GRYM_RESTRICT codes) {
  RoundToCodes(weights, count, inverse, shift, low, high, codes);
}

GRYM_HOT void RoundToUnsigned(const float* GRYM_RESTRICT weights, size_t count, float inverse, float shift, float low,
                              float high, uint8_t* GRYM_RESTRICT codes) {
  RoundToCodes(weights, count, inverse, shift, low, high, codes);
}

// 1 / scale and -offset / scale, both 0 where nothing can be divided.
std::array<float, 2> InverseOf(const FittedGrid& grid) {
  const float inverse = grid.scale == 0 ? 0.0f : 1 / grid.scale, shift = -grid.offset * inverse;
  if (!std::isfinite(inverse) || !std::isfinite(shift)) return {0, 0};
  return {inverse, shift};
}

}  // namespace

FittedGrid FitGrid(const float* weights, size_t count, const GridRule& rule) {
  if (count == 0) return {};
  const GridRange range = RangeOfWeights(weights, count);
  if (range.low == range.high) return GridOfOneValue(range.low, rule);
  Candidates grids{};
  FirstCandidates(range, rule, grids);
  FittedGrid best{0, rule.with_offset ? RoundOne(rule.numbers, 0.5f * range.low + 0.5f * range.high) : 0};
  float least = HUGE_VALF;
  for (int round = 0; round < kFitRounds; ++round) {
    RoundEight(rule.numbers, grids.scale);
    if (rule.with_offset) RoundEight(rule.numbers, grids.offset);
    CompleteEight(grids.scale.data(), grids.offset.data(), grids.inverse.data(), grids.shift.data());
    // Errors of weights above 1e18 have squares that are no floats: then this one stands.
    if (round == 0 && grids.scale[0] > 0) best = {grids.scale[0], grids.offset[0]};
    GridSums sums;
    SumOverAll(weights, count, grids, sums);
    for (size_t i = 0; i < kWidths; ++i) {
      if (!(sums.dd[i] < least) || grids.scale[i] == 0) continue;
      least = sums.dd[i];
      best = {grids.scale[i], grids.offset[i]};
    }
    CorrectEight(sums, static_cast<float>(count), rule.with_offset, grids.scale.data(), grids.offset.data());
  }
  return best;
}

void EncodeOnGrid(const float* weights, size_t count, const FittedGrid& grid, const GridRule& rule, int8_t* codes) {
  const auto [inverse, shift] = InverseOf(grid);
  RoundToSigned(weights, count, inverse, shift, rule.low, rule.high, codes);
}

void EncodeOnGrid(const float* weights, size_t count, const FittedGrid& grid, const GridRule& rule, uint8_t* codes) {
  const auto [inverse, shift] = InverseOf(grid);
  RoundToUnsigned(weights, count, inverse, shift, rule.low, rule.high, codes);
}

}  // namespace grym
