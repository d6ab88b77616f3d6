#include "memory/sign_sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/random.h"

namespace grym {
namespace {

constexpr int kRounds = 3;
constexpr double kPi = 3.141592653589793;
constexpr int kLargestValue = 31;  // of the rounded query: four of them, made positive, stay within 124

using Flips = std::array<std::array<float, kVectorDims>, kRounds>;

Flips DrawFlips() {
  Random random(20240527, "sign sketch");
  Flips flips;
  for (auto& round : flips) {
    for (float& flip : round) flip = random.Chance(0.5) ? 1.0f : -1.0f;
  }
  return flips;
}

template <size_t kStride>
void Butterflies(float* values) {
  for (size_t start = 0; start < kVectorDims; start += 2 * kStride) {
    for (size_t d = start; d < start + kStride; ++d) {
      const float a = values[d], b = values[d + kStride];
      values[d] = a + b;
      values[d + kStride] = a - b;
    }
  }
}

// In place, not brought back to unit length: sqrt(128) longer after each round. The strides are written out because
// compilers then compute four or more butterflies at once; a million vectors are sketched when a large store is read.
void Rotate(float* values) {
  static const Flips kFlips = DrawFlips();
  for (const auto& flips : kFlips) {
    for (size_t d = 0; d < kVectorDims; d += 4) {  // strides 1 and 2
      const float a = values[d] * flips[d], b = values[d + 1] * flips[d + 1];
      const float c = values[d + 2] * flips[d + 2], e = values[d + 3] * flips[d + 3];
      values[d] = (a + b) + (c + e);
      values[d + 1] = (a - b) + (c - e);
      values[d + 2] = (a + b) - (c + e);
      values[d + 3] = (a - b) - (c - e);
    }
    Butterflies<4>(values);
    Butterflies<8>(values);
    Butterflies<16>(values);
    Butterflies<32>(values);
    Butterflies<64>(values);
  }
}

}  // namespace

void SketchVector(std::span<const float, kVectorDims> vector, uint8_t* signs) {
  float rotated[kVectorDims];
  std::copy(vector.begin(), vector.end(), rotated);
  Rotate(rotated);
  for (size_t byte = 0; byte < kSignBytes; ++byte) {
    unsigned bits = 0;
    for (size_t bit = 0; bit < 8; ++bit) bits |= (rotated[8 * byte + bit] >= 0 ? 1u : 0u) << bit;
    signs[byte] = static_cast<uint8_t>(bits);
  }
}

SketchQuery::SketchQuery(std::span<const float, kVectorDims> query) {
  float rotated[kVectorDims];
  std::copy(query.begin(), query.end(), rotated);
  Rotate(rotated);
  float largest = 0;
  for (const float value : rotated) largest = std::max(largest, std::abs(value));
  const float step = largest > 0 ? largest / kLargestValue : 1;
  std::array<int, kVectorDims> values;
  for (size_t d = 0; d < kVectorDims; ++d) values[d] = static_cast<int>(std::lround(rotated[d] / step));
  int offsets[2] = {};
  for (size_t group = 0; group < kVectorDims / 4; ++group) {
    int lowest = 0;
    for (size_t i = 0; i < 4; ++i) lowest += std::min(values[4 * group + i], 0);
    for (unsigned signs = 0; signs < 16; ++signs) {
      int entry = -lowest;
      for (size_t i = 0; i < 4; ++i) entry += (signs >> i & 1) ? values[4 * group + i] : 0;
      tables_[16 * group + signs] = static_cast<uint8_t>(entry);
    }
    offsets[group / (kVectorDims / 8)] -= lowest;
  }
  int squares = 0;
  for (const int value : values) squares += value * value;
  first_ = CutoffsFor(std::span<const int>(values).first(kVectorDims / 2), offsets[0], squares, kFirstSigmas);
  whole_ = CutoffsFor(values, offsets[0] + offsets[1], squares, kWholeSigmas);
}

// A vector at angle t from query q, both rotated, is q cos t + g sin t with g random of unit length at right angles to
// q, so the sign of its number d is q_d's with probability P(b), b = q_d sqrt(dims) / tan t, P and p the normal
// distribution and its density. The sum of q_d times these signs over some dimensions, which is twice the score but for
// constants, therefore has the mean sum q_d (2 P - 1) and the variance sum q_d^2 4 P (1 - P) - (sum q_d^2 2 p)^2 / sum
// over all dimensions q_d^2: the second part is what g's being at right angles to q takes away.
SketchQuery::Cutoffs SketchQuery::CutoffsFor(std::span<const int> values, int offset, int all_squares,
                                              double sigmas) {
  std::array<int, kLargestValue + 1> counts{};  // all of it depends on the sizes alone, and these are few
  int sum = 0;
  for (const int value : values) {
    ++counts[static_cast<size_t>(std::abs(value))];
    sum += value;
  }
  const double squares = std::max(all_squares, 1), scale = std::sqrt(static_cast<double>(kVectorDims) / squares);
  Cutoffs made;
  // At angles up to a right one; beyond it the mean changes its sign and nothing else.
  for (int i = 0; i <= kAngles / 2; ++i) {
    const double angle = kPi * i / kAngles;
    double mean = 0, variance = 0, across = 0;
    for (int size = 1; size <= kLargestValue; ++size) {
      const double count = counts[static_cast<size_t>(size)];
      if (count == 0) continue;
      const double b = i == 0 ? 40 : std::min(size * scale * std::cos(angle) / std::sin(angle), 40.0);
      const double disagree = std::erfc(b / std::sqrt(2.0)) / 2;
      mean += count * size * (1 - 2 * disagree);
      variance += count * size * size * 4 * disagree * (1 - disagree);
      across += count * size * size * 2 * std::exp(-b * b / 2) / std::sqrt(2 * kPi);
    }
    const double spread = sigmas * std::sqrt(std::max(variance - across * across / squares, 0.0));
    made.at_angle[i] = offset + (sum + mean - spread) / 2;
    made.at_angle[kAngles - i] = offset + (sum - mean - spread) / 2;
  }
  for (int i = 1; i <= kAngles; ++i) made.at_angle[i] = std::min(made.at_angle[i], made.at_angle[i - 1]);
  return made;
}

int SketchQuery::Cutoffs::At(double similarity) const {
  const double place = std::acos(std::clamp(similarity, -1.0, 1.0)) / kPi * kAngles;
  const int before = std::min(static_cast<int>(place), kAngles - 1);
  const double share = place - before;
  const double least = at_angle[before] + share * (at_angle[before + 1] - at_angle[before]);
  return static_cast<int>(std::ceil(std::max(least, 0.0)));
}

}  // namespace grym
