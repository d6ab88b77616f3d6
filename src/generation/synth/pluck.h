// Plucked strings: an extended Karplus-Strong loop.
// Source: Jaffe and Smith, "Extensions of the Karplus-Strong Plucked-String Algorithm", CMJ 1983.
#pragma once
#include <memory>

#include "generation/synth/envelope.h"
#include "generation/synth/voice.h"

namespace grym::synth {

struct PluckSpec {
  float decay_s = 4;            // to -60 dB, of the fundamental at pitch 60
  float decay_track = 0.6f;     // how much shorter per octave up, in octaves of time
  float damping = 0.2f;         // [0, 0.5]: loss of high partials, at pitch 60
  float pick_hz = 4000;         // brightness of the excitation at velocity 0.8
  float pick_position = 0.13f;  // of the string's length, (0, 0.5]
  float noise = 0.5f;           // 0 a pulse (hammer), 1 noise (pick)
  float release_s = 0.15f;
  float thump = 0;  // body knock at the attack
  float thump_hz = 110;
  float width = 0.15f;  // how far notes lie apart across the image
  PitchSpec pitch;
};

// `spec` must outlive the voice.
std::unique_ptr<Voice> MakePluck(const PluckSpec& spec, const NoteInfo& note);

}  // namespace grym::synth
