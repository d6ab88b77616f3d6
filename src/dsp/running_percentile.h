// Percentiles of a stream of values >= 0.
#pragma once
#include <array>
#include <cstdint>

namespace grym {

// A histogram with sixteen bins to the octave, so a percentile is exact to 2 %. Beyond `memory` values the old ones
// count half as much each time that as many have come again. Fixed memory. Threads: one at a time.
class RunningPercentile {
 public:
  explicit RunningPercentile(int64_t memory) : memory_(memory) {}
  void Add(float value);
  double At(double fraction) const;  // 0 before the first value

 private:
  static constexpr int kPerOctave = 16, kOctaves = 32, kLowestExponent = -20;
  int64_t memory_, total_ = 0;
  std::array<int32_t, kPerOctave * kOctaves + 1> counts_{};  // the first: below 2^kLowestExponent
};

}  // namespace grym
