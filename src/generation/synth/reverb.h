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
  // A ring of frames that is read and written a block at a time; every delay is longer than a block.
  struct Ring {
    std::vector<Lanes> samples;
    size_t position = 0;                                  // of the oldest frame
    // The oldest frames, where they lie or, where they wrap, copied to `scratch`.
    const Lanes* Oldest(int count, Lanes* scratch) const;
    // The same of one block, to be read and overwritten; Close then makes it the newest.
    Lanes* Open(Lanes* scratch) { return Wraps(kBlockFrames) ? Copied(kBlockFrames, scratch) : &samples[position]; }
    void Close(const Lanes* block);
    bool Wraps(int count) const { return position + static_cast<size_t>(count) > samples.size(); }
    Lanes* Copied(int count, Lanes* to) const;
  };
  struct Line {
    Ring ring;
    float gain = 0, shift = 0;  // shift: how far the read point stands from the oldest frame
    Lanes damped = Fill(0);
  };
  void Enter(const std::array<const float*, kLanes>& inputs, Lanes* x);
  void Diffuse(Lanes* x);
  void Wander(size_t line, Lanes* y);
  void Circulate(const Lanes* x, Lanes* left, Lanes* right);

  float rate_;
  Ring predelay_;
  std::array<Ring, 4> diffusers_;
  std::array<Line, kLines> lines_;
  Lanes low_cut_ = Fill(0), high_cut_ = Fill(0);
  float low_cut_pole_, high_cut_pole_, damping_;
  double phase_ = 0;
  int64_t silent_blocks_ = 0, tail_blocks_;
};

}  // namespace grym::synth
