// Band-limited waveforms: three tables an octave, each with just the harmonics that fit under 0.45 of the rate.
#pragma once
#include <cstdint>
#include <vector>

#include "generation/synth/block.h"

namespace grym::synth {

enum class Wave { kSine, kTriangle, kSaw, kSquare, kPulse, kOrgan, kReed, kFlute };
inline constexpr int kWaveCount = 8;

// Threads: immutable once built; the first use of a waveform builds it (about a millisecond).
class WaveTable {
 public:
  static constexpr int kBits = 11;
  static constexpr int kSize = 1 << kBits;
  static const WaveTable& Of(Wave wave);
  // One period and one sample more, alias-free for pitches up to `cycles_per_frame`.
  const float* ForIncrement(double cycles_per_frame) const;

 private:
  explicit WaveTable(Wave wave);
  std::vector<std::vector<float>> mips_;  // from many harmonics to few
};

// Phase in units of 2^-32 of a period.
inline uint32_t PhaseStep(double cycles_per_frame) {
  return static_cast<uint32_t>(static_cast<int64_t>(cycles_per_frame * 4294967296.0));
}
inline float LookUp(const float* table, uint32_t phase) {
  constexpr int kShift = 32 - WaveTable::kBits;
  const uint32_t index = phase >> kShift;
  const float fraction = static_cast<float>(phase & ((1u << kShift) - 1)) * (1.0f / static_cast<float>(1u << kShift));
  return table[index] + fraction * (table[index + 1] - table[index]);
}
inline void RenderWave(const float* table, uint32_t& phase, uint32_t step, float* out) {
  uint32_t p = phase;
  for (int i = 0; i < kBlockFrames; ++i, p += step) out[i] = LookUp(table, p);
  phase = p;
}

}  // namespace grym::synth
