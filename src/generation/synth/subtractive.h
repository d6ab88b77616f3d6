// Oscillators and noise through a filter: basses, pads, leads, ensembles, organs and winds.
#pragma once
#include <memory>
#include <vector>

#include "generation/synth/envelope.h"
#include "generation/synth/voice.h"
#include "generation/synth/wavetable.h"

namespace grym::synth {

struct OscillatorSpec {
  Wave wave = Wave::kSaw;
  float semitones = 0, cents = 0;
  float level = 1;
  float pan = 0;  // [-1, 1]
};

enum class FilterKind { kNone, kLow12, kLow24, kLadder };

struct SubtractiveSpec {
  std::vector<OscillatorSpec> oscillators;
  bool random_phase = true;  // false: every note starts alike, as a bass should
  float noise = 0;           // breath, at the output of a band-pass on the pitch
  float noise_attack = 0;    // more of it during the first 60 ms
  FilterKind filter = FilterKind::kLow12;
  float cutoff_hz = 2000;      // at pitch 60 with full key tracking
  float key_track = 0.5f;      // [0, 1]
  float env_octaves = 0;       // what the filter envelope adds
  float velocity_octaves = 1;  // from velocity 0 to 1, centred on 0.8
  float resonance = 0;         // [0, 1)
  float drive = 0;             // [0, 1], before the filter
  AdsrSpec amp, filter_env;
  PitchSpec pitch;
  float velocity_curve = 1.4f;  // loudness = velocity ^ curve
};

// `count` copies spread evenly over +-`cents` and +-`width`; their power is one oscillator's.
std::vector<OscillatorSpec> Unison(Wave wave, int count, float cents, float width, float semitones = 0,
                                   float level = 1);

// `spec` must outlive the voice.
std::unique_ptr<Voice> MakeSubtractive(const SubtractiveSpec& spec, const NoteInfo& note);

}  // namespace grym::synth
