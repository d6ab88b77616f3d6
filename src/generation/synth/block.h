// The grain of synthesis: every voice and effect works on 32 frames at a time; envelopes, pitch and filters move once
// a block (1.4 kHz at 44.1 kHz) and amplitudes are ramped inside it.
#pragma once
#include <cstring>

namespace grym::synth {

inline constexpr int kBlockFrames = 32;
inline constexpr float kBlockStep = 1.0f / kBlockFrames;

struct Block {
  alignas(32) float left[kBlockFrames];
  alignas(32) float right[kBlockFrames];
  void Clear() { std::memset(this, 0, sizeof(*this)); }
};

// y[i] += x[i] * gain, the gain moving linearly from `from` to `to` over the block.
inline void AddRamped(const float* x, float from, float to, float* y) {
  const float step = (to - from) * kBlockStep;
  for (int i = 0; i < kBlockFrames; ++i) y[i] += x[i] * (from + step * static_cast<float>(i + 1));
}
inline void ScaleRamped(float from, float to, float* y) {
  const float step = (to - from) * kBlockStep;
  for (int i = 0; i < kBlockFrames; ++i) y[i] *= from + step * static_cast<float>(i + 1);
}

}  // namespace grym::synth
