// What a part's signal passes through, and the tempo delay of a stem.
#pragma once
#include <cstdint>
#include <vector>

#include "generation/synth/filters.h"
#include "generation/synth/program.h"
#include "generation/synth/steady_svf.h"

namespace grym::synth {

// Two delay lines read at a slowly moving distance. Also the Doppler part of a rotating speaker.
class ModulatedDelay {
 public:
  void Prepare(float rate_hz, float base_s, float depth_s, float rate_of_lfo_hz, float phase_apart);
  void Run(float dry, float wet, Block& io);

 private:
  float Distance(double phase) const;
  std::vector<float> line_[2];
  size_t mask_ = 0, write_ = 0;
  float base_ = 0, depth_ = 0;
  double phase_ = 0, step_ = 0, apart_ = 0.25;
};

// Linear but for the drive; every part has its own, so that stems add up.
class EffectChain {
 public:
  EffectChain(const ChainSpec& spec, float rate_hz);
  // `cutoff` multiplies a low-pass over the part, 1 leaves it open.
  void Run(float cutoff, Block& io);

 private:
  void RunFormants(Block& io);
  void RunDrive(Block& io);
  void RunCuts(float cutoff, Block& io);
  void RunTremolo(Block& io);
  void RunImage(Block& io);

  ChainSpec spec_;
  float rate_;
  SvfCoefficients sweep_at_;
  float sweep_ = -1;  // the multiplier that sweep_at_ was made for
  std::vector<SteadyPair> formants_;
  float formant_dry_ = 0;
  SoftClip clip_[2];
  SteadyPair before_drive_, cabinet_low_, cabinet_low2_, cabinet_peak_, low_cut_, high_cut_;
  StereoSvf automation_;
  SteadySvf side_;
  ModulatedDelay chorus_, rotor_;
  double tremolo_phase_ = 0;
  float tremolo_from_[2] = {1, 1};
  bool automated_ = false;
};

// Echoes from left to right at the tempo, darker each time. Linear.
class PingPongDelay {
 public:
  PingPongDelay(double delay_s, float rate_hz);
  // Adds the echoes of `input` to `out`.
  void Run(const float* input, Block& out);

 private:
  std::vector<float> left_, right_;
  size_t position_ = 0;
  float low_pole_, high_pole_;
  float low_[2] = {0, 0}, high_[2] = {0, 0};
  int64_t silent_blocks_, tail_blocks_;
};

}  // namespace grym::synth
