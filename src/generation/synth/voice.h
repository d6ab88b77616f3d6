// One sounding note.
#pragma once
#include <cmath>
#include <cstdint>
#include <memory>

#include "generation/synth/block.h"

namespace grym::synth {

// What a voice is born with. Everything that varies from note to note is drawn from `seed`.
struct NoteInfo {
  double pitch = 60;        // MIDI, fractional
  float glide_from = 0;     // semitones
  float velocity = 0.8f;    // (0, 1]
  float detail = 0;         // [0, 1]
  int64_t gate_blocks = 1;  // until note-off
  uint64_t seed = 0;
  float rate_hz = 44100;
};

// What a part's automation does to its voices.
struct VoiceModulation {
  float cutoff = 1;  // multiplier
};

class Voice {
 public:
  virtual ~Voice() = default;
  // Adds the next block to `out`. False once it is silent for good.
  virtual bool Render(const VoiceModulation& modulation, Block& out) = 0;
};

inline double PitchToHz(double pitch) { return 440.0 * std::exp2((pitch - 69.0) / 12.0); }
inline float DbToGain(float db) { return std::pow(10.0f, db * 0.05f); }

// White noise from a 32-bit linear congruence: cheap, and enough for what is filtered afterwards. In [-1, 1) at
// 44.1 kHz; at other rates as strong in every band, so that a filter lets the same through.
class Noise {
 public:
  Noise(uint64_t seed, float rate_hz)
      : state_(static_cast<uint32_t>(seed ^ (seed >> 32)) | 1u),
        scale_(std::sqrt(rate_hz / 44100.0f) / 2147483648.0f) {}
  float Next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<int32_t>(state_)) * scale_;
  }

 private:
  uint32_t state_;
  float scale_;
};

}  // namespace grym::synth
