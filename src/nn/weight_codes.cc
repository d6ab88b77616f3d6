#include "nn/weight_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "dsp/dispatch.h"

namespace grym {
namespace {

// Adding and taking away 1.5 * 2^23 rounds to the nearest whole number, ties to even, in a loop of plain arithmetic.
constexpr float kRounder = 12582912.0f;

GRYM_HOT void RoundToGrid(const float* GRYM_RESTRICT weights, size_t count, float inverse, float shift, float low,
                          float high, float* GRYM_RESTRICT codes) {
  for (size_t i = 0; i < count; ++i) {
    const float code = (weights[i] * inverse + shift + kRounder) - kRounder;
    const float raised = code < low ? low : code;
    codes[i] = raised > high ? high : raised;
  }
}

// What least squares needs of weights w and codes q.
struct Moments {
  double w = 0, q = 0, ww = 0, wq = 0, qq = 0;
};

constexpr size_t kLanes = 8;

GRYM_HOT void AddMoments(const float* GRYM_RESTRICT w, const float* GRYM_RESTRICT q, size_t whole,
                         float* GRYM_RESTRICT sums) {
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float a = w[i + lane], b = q[i + lane];
      sums[lane] += a;
      sums[kLanes + lane] += b;
      sums[2 * kLanes + lane] += a * a;
      sums[3 * kLanes + lane] += a * b;
      sums[4 * kLanes + lane] += b * b;
    }
  }
}

Moments MomentsOf(const float* w, const float* q, size_t count) {
  std::array<float, 5 * kLanes> sums;
  std::array<double, 5> total{};
  constexpr size_t kPart = 512;  // float sums stay short
  size_t i = 0;
  for (; i + kLanes <= count;) {
    const size_t part = std::min(kPart, (count - i) / kLanes * kLanes);
    sums.fill(0);
    AddMoments(w + i, q + i, part, sums.data());
    for (size_t k = 0; k < sums.size(); ++k) total[k / kLanes] += sums[k];
    i += part;
  }
  for (; i < count; ++i) {
    const double a = w[i], b = q[i];
    total[0] += a, total[1] += b, total[2] += a * a, total[3] += a * b, total[4] += b * b;
  }
  return {total[0], total[1], total[2], total[3], total[4]};
}

GRYM_HOT void CodesToFloat(const int8_t* GRYM_RESTRICT codes, size_t count, float scale,
                           float* GRYM_RESTRICT weights) {
  for (size_t i = 0; i < count; ++i) weights[i] = scale * static_cast<float>(codes[i]);
}

GRYM_HOT void NibblesToFloat(const uint8_t* GRYM_RESTRICT packed, size_t pairs, float scale, float offset,
                             float* GRYM_RESTRICT weights) {
  for (size_t i = 0; i < pairs; ++i) {
    weights[2 * i] = scale * static_cast<float>(packed[i] & 15) + offset;
    weights[2 * i + 1] = scale * static_cast<float>(packed[i] >> 4) + offset;
  }
}

GRYM_HOT void AddProducts(const float* GRYM_RESTRICT a, const float* GRYM_RESTRICT b, size_t whole,
                          float* GRYM_RESTRICT sums) {
  for (size_t i = 0; i < whole; i += 16) {
    for (size_t lane = 0; lane < 16; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
}

}  // namespace

float EncodeInt8(const float* weights, size_t count, int8_t* codes) {
  float largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(weights[i]));
  std::vector<float> trial(count);
  float best = 0;
  double best_error = HUGE_VAL;
  for (int step = 0; step < 5 && largest > 0; ++step) {
    double scale = largest * (1 - 0.05 * step) / 127;
    for (int round = 0; round < 3; ++round) {
      const float tried = static_cast<float>(scale);
      if (!(tried > 0) || !std::isfinite(1 / tried)) break;
      RoundToGrid(weights, count, 1 / tried, 0, -127, 127, trial.data());
      const Moments m = MomentsOf(weights, trial.data(), count);
      const double error = m.ww - 2 * tried * m.wq + static_cast<double>(tried) * tried * m.qq;
      if (error < best_error) best_error = error, best = tried;
      if (m.qq <= 0) break;
      scale = m.wq / m.qq;
    }
  }
  if (best > 0) RoundToGrid(weights, count, 1 / best, 0, -127, 127, trial.data());
  for (size_t i = 0; i < count; ++i) codes[i] = best > 0 ? static_cast<int8_t>(trial[i]) : int8_t{0};
  return best;
}

void DecodeInt8(const int8_t* codes, size_t count, float scale, float* weights) {
  CodesToFloat(codes, count, scale, weights);
}

void EncodeInt4(const float* weights, size_t count, uint8_t* codes, c10::Half* scale_offset) {
  const auto [low, high] = std::minmax_element(weights, weights + count);
  const double middle = 0.5 * (static_cast<double>(*low) + *high), range = static_cast<double>(*high) - *low;
  std::vector<float> trial(count);
  c10::Half best_scale(0.0f), best_offset(static_cast<float>(middle));
  double best_error = HUGE_VAL;
  for (int step = 0; step < 8 && range > 0; ++step) {
    double scale = range * (1 - 0.05 * step) / 15, offset = middle - 7.5 * scale;
    for (int round = 0; round < 3; ++round) {
      const c10::Half kept_scale(static_cast<float>(scale)), kept_offset(static_cast<float>(offset));
      const float s = kept_scale, o = kept_offset;
      if (!(s > 0) || !std::isfinite(s) || !std::isfinite(1 / s) || !std::isfinite(o)) break;
      RoundToGrid(weights, count, 1 / s, -o / s, 0, 15, trial.data());
      const Moments m = MomentsOf(weights, trial.data(), count);
      const double n = static_cast<double>(count), a = s, b = o;
      const double error = m.ww - 2 * (a * m.wq + b * m.w) + a * a * m.qq + 2 * a * b * m.q + n * b * b;
      if (error < best_error) best_error = error, best_scale = kept_scale, best_offset = kept_offset;
      const double spread = n * m.qq - m.q * m.q;
      if (spread <= 0) break;
      scale = (n * m.wq - m.w * m.q) / spread;
      offset = (m.w - scale * m.q) / n;
    }
  }
  const float s = best_scale, o = best_offset;
  if (s > 0) RoundToGrid(weights, count, 1 / s, -o / s, 0, 15, trial.data());
  for (size_t i = 0; i < count; ++i) codes[i] = s > 0 ? static_cast<uint8_t>(trial[i]) : uint8_t{0};
  scale_offset[0] = best_scale;
  scale_offset[1] = best_offset;
}

void DecodeInt4(const uint8_t* packed, size_t count, size_t group, const c10::Half* scale_offset, float* weights) {
  for (size_t begin = 0; begin < count; begin += group, scale_offset += 2) {
    const size_t here = std::min(group, count - begin);
    const float scale = scale_offset[0], offset = scale_offset[1];
    NibblesToFloat(packed + begin / 2, here / 2, scale, offset, weights + begin);
    if (here % 2) weights[begin + here - 1] = scale * static_cast<float>(packed[(begin + here) / 2] & 15) + offset;
  }
}

float DotProduct(const float* a, const float* b, size_t count) {
  std::array<float, 16> sums{};
  const size_t whole = count / 16 * 16;
  AddProducts(a, b, whole, sums.data());
  for (size_t i = whole; i < count; ++i) sums[i - whole] += a[i] * b[i];
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

}  // namespace grym
