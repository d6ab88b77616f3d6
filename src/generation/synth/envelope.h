// Envelopes and pitch curves that advance once a block.
#pragma once
#include <algorithm>
#include <cmath>

#include "generation/synth/block.h"

namespace grym::synth {

struct AdsrSpec {
  float attack_s = 0.003f, decay_s = 0.3f;  // decay: 95 % of the way to the sustain level
  float sustain = 1;
  float release_s = 0.12f;  // to -60 dB
};

class Adsr {
 public:
  Adsr(const AdsrSpec& spec, float rate_hz) : sustain_(spec.sustain) {
    const float blocks = rate_hz * kBlockStep;
    attack_step_ = 1.0f / std::max(1.0f, spec.attack_s * blocks);
    decay_ = std::exp(-3.0f / std::max(0.5f, spec.decay_s * blocks));
    release_ = std::exp(-6.9f / std::max(2.0f, spec.release_s * blocks));
  }
  // The value at the end of the next block.
  float Advance(bool gate) {
    if (!gate) {
      value_ *= release_;
      if (value_ < 5e-5f) value_ = 0;
    } else if (attacking_) {
      value_ = std::min(1.0f, value_ + attack_step_);
      attacking_ = value_ < 1;
    } else {
      value_ = sustain_ + (value_ - sustain_) * decay_;
      if (sustain_ == 0 && value_ < 2e-5f) value_ = 0;
    }
    return value_;
  }
  float value() const { return value_; }
  bool finished(bool gate) const { return value_ == 0 && !(gate && attacking_) && (sustain_ == 0 || !gate); }

 private:
  float value_ = 0, sustain_, attack_step_, decay_, release_;
  bool attacking_ = true;
};

struct PitchSpec {
  float vibrato_cents = 0, vibrato_hz = 5.3f, vibrato_delay_s = 0.25f;
  float glide_s = 0.07f;
  float scoop_semitones = 0, scoop_s = 0.04f;  // where the note starts, and how fast it arrives
};

// Frequency over time: glide, scoop and delayed vibrato around a pitch.
class PitchCurve {
 public:
  PitchCurve(const PitchSpec& spec, double hz, float glide_from, double vibrato_phase, float rate_hz)
      : spec_(spec), hz_(hz), glide_(glide_from), phase_(vibrato_phase), block_s_(kBlockFrames / rate_hz) {}
  // The highest pitch that will occur, to choose band-limited tables by.
  double top_hz() const {
    return hz_ *
           std::exp2((std::max(0.0f, glide_) + std::max(0.0f, spec_.scoop_semitones) + spec_.vibrato_cents / 100) / 12);
  }
  double Advance() {
    double semitones = 0;
    if (glide_ != 0 && time_ < spec_.glide_s) {
      const double x = 1 - time_ / spec_.glide_s;
      semitones += glide_ * x * x * (3 - 2 * x);
    }
    if (spec_.scoop_semitones != 0) semitones += spec_.scoop_semitones * std::exp(-3 * time_ / spec_.scoop_s);
    if (spec_.vibrato_cents != 0 && time_ > spec_.vibrato_delay_s) {
      const double depth = std::min(1.0, (time_ - spec_.vibrato_delay_s) / 0.4);
      semitones += 0.01 * spec_.vibrato_cents * depth * std::sin(6.283185307179586 * phase_);
      phase_ += spec_.vibrato_hz * block_s_;
    }
    time_ += block_s_;
    return semitones == 0 ? hz_ : hz_ * std::exp2(semitones / 12);
  }

 private:
  PitchSpec spec_;
  double hz_;
  float glide_;
  double phase_, time_ = 0, block_s_;
};

}  // namespace grym::synth
