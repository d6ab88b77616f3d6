// One room, played by four stems at a time: a feedback delay network whose every sample is four lanes wide.
// Source: Jot and Chaigne, "Digital Delay Networks for Designing Artificial Reverberators", AES 1991; input diffusion
// after Dattorro, "Effect Design Part 1", JAES 1997. Linear and alike in every lane, so stems add up to the mix.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "generation/synth/block.h"
#include "generation/synth/lanes.h"

namespace grym::synth {

class QuadReverb {
 public:
  static constexpr int kLanes = 4;
  QuadReverb(float seconds, float rate_hz);
  // Adds the room's answer to `inputs[lane]` (mono) to `*outputs[lane]`; both may be null for an unused lane.
  void Run(const std::array<const float*, kLanes>& inputs, const std::array<Block*, kLanes>& outputs);
  int64_t bytes() const;

 private:
  static constexpr int kLines = 8;
  struct Line {
    std::vector<Lanes> samples;
    size_t position = 0;
    float gain = 0, shift = 0, shift_step = 0;  // shift: how far the read point has moved, in frames
    Lanes damped = Fill(0);
  };
  struct Diffuser {
    std::vector<Lanes> samples;
    size_t position = 0;
    float gain = 0;
  };
  Lanes Diffuse(Lanes x);
  void Frame(Lanes x, Lanes& left, Lanes& right);
  void MoveReadPoints();

  float rate_;
  std::vector<Lanes> predelay_;
  size_t predelay_position_ = 0;
  std::array<Diffuser, 4> diffusers_;
  std::array<Line, kLines> lines_;
  Lanes low_cut_ = Fill(0), high_cut_ = Fill(0);
  float low_cut_pole_, high_cut_pole_, damping_;
  double phase_ = 0;
  int64_t silent_blocks_ = 0, tail_blocks_;
};

}  // namespace grym::synth
