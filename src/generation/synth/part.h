// One part of a score, played block by block into its stem.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "generation/score.h"
#include "generation/synth/effects.h"
#include "generation/synth/program.h"

namespace grym::synth {

// Where the parts of a stem meet.
struct StemBus {
  Block dry;
  alignas(32) float reverb[kBlockFrames];
  alignas(32) float delay[kBlockFrames];
  void Clear() { std::memset(this, 0, sizeof(*this)); }
};

// Gain of the side chain over time, from the times of the kicks: down in 6 ms, back within 60 % of a beat.
class Ducking {
 public:
  Ducking(std::vector<double> kicks_s, double tempo_bpm);
  // How far down, [0, 1], at a time that does not fall from call to call.
  float DepthAt(double time_s);

 private:
  std::vector<double> kicks_s_;
  size_t next_ = 0;
  double release_s_;
};

class PartPlayer {
 public:
  // `part` must outlive the player. `index` is the part's place in the score, which seeds its notes.
  static absl::StatusOr<std::unique_ptr<PartPlayer>> Create(const InstrumentPart& part, size_t index, int rate_hz,
                                                            const Ducking& ducking);
  // Adds block number `block` (rising by one from 0) to the bus.
  void Render(int64_t block, StemBus& bus);

 private:
  struct Sounding {
    std::unique_ptr<Voice> voice;
    int choke = 0;
    int fade_blocks = -1;  // counts down once the voice was cut short
  };
  // A breakpoint curve read forwards.
  struct Curve {
    const Automation* automation = nullptr;
    size_t next = 0;
    float At(double time_s, float fallback);
  };
  PartPlayer(const InstrumentPart& part, size_t index, int rate_hz, const Ducking& ducking, Program program);
  void StartNotes(int64_t block);
  void StartNote(size_t note_index);
  bool RenderVoices(const VoiceModulation& modulation, Block& sum);
  void MoveFaders(double time_s);
  void Mix(double time_s, const Block& sum, StemBus& bus);

  const InstrumentPart& part_;
  size_t index_;
  float rate_;
  Program program_;
  EffectChain chain_;
  Ducking ducking_;
  bool low_pass_by_chain_;
  std::vector<size_t> order_;  // notes by start
  size_t next_note_ = 0;
  std::vector<Sounding> voices_;
  Curve gain_, cutoff_, pan_, reverb_;
  float level_ = 1;
  float left_ = -1, right_ = -1, reverb_gain_ = -1, delay_gain_ = 0;
  // What the last gains were computed from.
  float last_gain_db_ = 1e9f, last_pan_ = 1e9f, last_reverb_db_ = 1e9f;
  float fader_ = 1, pan_left_ = 1, pan_right_ = 1, send_ = 0;
  int64_t quiet_blocks_ = 1 << 20;
};

}  // namespace grym::synth
