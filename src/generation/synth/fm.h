// Phase modulation with up to four sine operators: electric pianos, bells, glassy pads.
// Source: Chowning, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", JAES 1973.
#pragma once
#include <memory>
#include <vector>

#include "generation/synth/envelope.h"
#include "generation/synth/voice.h"

namespace grym::synth {

struct OperatorSpec {
  float ratio = 1;  // to the note's frequency
  float detune_cents = 0;
  float level = 1;  // of a carrier: amplitude; of a modulator: index in radians
  int target = -1;  // index of the operator it modulates, which must be lower; -1 is the output
  AdsrSpec envelope;
  float velocity = 0.5f;  // how far velocity opens the level, [0, 1]
  float key_scale = 0;    // how much the level falls per octave above pitch 60, in octaves of level
  float pan = 0;
};

struct FmSpec {
  std::vector<OperatorSpec> operators;  // at most four
  float release_s = 0.2f;               // damps everything after note-off
  float hammer = 0;                     // short noise tick at the start
  PitchSpec pitch;
};

// `spec` must outlive the voice.
std::unique_ptr<Voice> MakeFm(const FmSpec& spec, const NoteInfo& note);

}  // namespace grym::synth
