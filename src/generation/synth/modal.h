// Struck bodies as sums of decaying partials: piano, vibraphone, music box, bells.
#pragma once
#include <memory>
#include <vector>

#include "generation/synth/voice.h"

namespace grym::synth {

struct ModeSpec {
  float ratio = 1, level = 1;
  float decay_s = 1;  // to -60 dB at pitch 60
};

struct ModalSpec {
  bool piano = false;  // stretched harmonics of a struck string instead of `modes`
  std::vector<ModeSpec> modes;
  float decay_s = 1;           // of all modes, as a multiplier; of a piano: that of its fundamental at pitch 60
  float decay_track = 0.5f;    // octaves of time per octave up
  float strike_hz = 2500;      // hardness of the hammer at velocity 0.8
  float velocity_octaves = 2;  // of strike_hz, from velocity 0 to 1
  float release_s = 0.25f;     // dampers
  float hammer = 0.1f;         // noise of the strike
  float width = 0.3f;
};

// `spec` must outlive the voice.
std::unique_ptr<Voice> MakeModal(const ModalSpec& spec, const NoteInfo& note);

}  // namespace grym::synth
