// Drum voices: tones with falling pitch, filtered noise bursts and clusters of square waves, put together per key.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "generation/synth/voice.h"

namespace grym::synth {

struct ToneSpec {
  float hz = 60, start_hz = 60;  // where it ends and starts
  float sweep_s = 0.03f;         // 1/e
  float decay_s = 0.3f;          // to -60 dB
  float level = 1;
};

struct BurstSpec {
  float level = 1;
  float decay_s = 0.15f;  // to -60 dB
  float low_hz = 200, high_hz = 10000;
  float attack_s = 0;
  int count = 1;  // claps are several
  float gap_s = 0.011f;
};

struct MetalSpec {
  float level = 0;
  float hz = 205;  // lowest of six squares
  float decay_s = 0.08f;
  float low_hz = 7000;
};

struct DrumSpec {
  std::vector<ToneSpec> tones;
  std::vector<BurstSpec> bursts;
  MetalSpec metal;
  float pan = 0;
  float level = 1;
  float drive = 0;
  int choke = 0;  // voices of one group silence each other; 0 for none
};

struct DrumKey {
  int key;  // General MIDI percussion
  DrumSpec drum;
};
using DrumKit = std::vector<DrumKey>;

// By the patch's name: "kit_acoustic", "kit_808", "kit_909", "kit_lofi", "kit_brush", "kit_metal".
DrumKit MakeDrumKit(std::string_view name);
const DrumSpec* FindDrum(const DrumKit& kit, int key);

// `spec` must outlive the voice. `tune` multiplies every frequency, `length` every decay.
std::unique_ptr<Voice> MakeDrum(const DrumSpec& spec, const NoteInfo& note, float tune, float length);

}  // namespace grym::synth
