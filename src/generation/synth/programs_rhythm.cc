// Drums and basses. Levels are measured (tests/generation/synth_level_test.cc holds them to -23 LUFS).
#include "generation/synth/program.h"

namespace grym::synth {
namespace {

Program KitProgram(const std::string& name, float level_db, const std::string& text, ChainSpec chain = {}) {
  return {.info = {name, "drums", 0, 35, 82, false, text}, .level_db = level_db, .chain = chain, .sound = MakeDrumKit(name)};
}

}  // namespace

std::vector<Program> DrumPrograms() {
  return {
      KitProgram("kit_acoustic", -2.3f, "acoustic drums, dry and close"),
      KitProgram("kit_808", -5.9f, "analogue drum machine: long booming kick, ticking hats"),
      KitProgram("kit_909", -3.1f, "analogue drum machine: hard kick, bright hats, wide clap; house and techno"),
      KitProgram("kit_lofi", -1.2f, "dull sampled drums, saturated", {.drive = 0.08f, .high_cut_hz = 6500}),
      KitProgram("kit_brush", -0.0f, "jazz drums played with brushes"),
      KitProgram("kit_metal", -3.2f, "loud rock drums: clicking kick, big snare, toms"),
  };
}

std::vector<Program> BassPrograms() {
  std::vector<OscillatorSpec> reese = Unison(Wave::kSaw, 4, 14, 0.7f);
  reese.push_back({.wave = Wave::kSine, .semitones = -12, .level = 0.5f});
  return {
      {.info = {"bass_sub", "bass", 38, 28, 48, true, "round sub bass: a sine with a little of its octave"}, .level_db = -15.2f,
       .chain = {.drive = 0.02f, .mono_below_hz = 120},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kSine}, {.wave = Wave::kTriangle, .level = 0.35f}, {.wave = Wave::kSine, .semitones = 12, .level = 0.12f}},
                                .random_phase = false, .filter = FilterKind::kLow12, .cutoff_hz = 900, .key_track = 0.4f,
                                .amp = {0.006f, 0.6f, 0.85f, 0.09f}, .velocity_curve = 1.1f}},
      {.info = {"bass_saw", "bass", 38, 28, 50, true, "saw and square through a punchy low-pass"}, .level_db = -12.0f,
       .chain = {.mono_below_hz = 120},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kSaw, .cents = -4, .level = 0.6f}, {.wave = Wave::kSaw, .cents = 4, .level = 0.6f}, {.wave = Wave::kSquare, .semitones = -12, .level = 0.35f}},
                                .random_phase = false, .filter = FilterKind::kLow24, .cutoff_hz = 520, .key_track = 0.4f, .env_octaves = 2.4f, .velocity_octaves = 2.2f,
                                .resonance = 0.28f, .drive = 0.15f, .amp = {0.003f, 0.35f, 0.7f, 0.08f}, .filter_env = {0.002f, 0.28f, 0.15f, 0.1f}}},
      {.info = {"bass_reese", "bass", 39, 26, 48, true, "detuned saws that move against each other, over a sub"}, .level_db = -12.4f,
       .chain = {.drive = 0.05f, .mono_below_hz = 120},
       .sound = SubtractiveSpec{.oscillators = reese, .filter = FilterKind::kLow24, .cutoff_hz = 850, .key_track = 0.3f, .env_octaves = 0.6f,
                                .resonance = 0.15f, .amp = {0.008f, 0.5f, 0.9f, 0.12f}, .filter_env = {0.01f, 0.8f, 0.4f, 0.2f}}},
      {.info = {"bass_acid", "bass", 38, 31, 55, true, "one saw through a resonant ladder; detail opens it, glide_from slides"}, .level_db = -9.7f,
       .chain = {.drive = 0.18f, .mono_below_hz = 120},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kSaw}}, .random_phase = false, .filter = FilterKind::kLadder, .cutoff_hz = 420, .key_track = 0.35f,
                                .env_octaves = 2.9f, .velocity_octaves = 3, .resonance = 0.78f, .amp = {0.002f, 0.5f, 0.6f, 0.05f}, .filter_env = {0.002f, 0.22f, 0, 0.1f}}},
      {.info = {"bass_finger", "bass", 33, 28, 52, false, "electric bass played with fingers"}, .level_db = -8.9f,
       .chain = {.drive = 0.04f, .high_cut_hz = 4500, .mono_below_hz = 120},
       .sound = PluckSpec{.decay_s = 4.5f, .decay_track = 0.4f, .damping = 0.10f, .pick_hz = 900, .pick_position = 0.22f, .noise = 0.15f, .release_s = 0.09f, .thump = 0.06f, .thump_hz = 75, .width = 0}},
      {.info = {"bass_upright", "bass", 32, 28, 50, false, "double bass, plucked: woody, short"}, .level_db = -8.9f,
       .chain = {.high_cut_hz = 3200, .mono_below_hz = 120},
       .sound = PluckSpec{.decay_s = 1.8f, .decay_track = 0.35f, .damping = 0.17f, .pick_hz = 620, .pick_position = 0.31f, .noise = 0.25f, .release_s = 0.11f, .thump = 0.16f, .thump_hz = 98, .width = 0}},
      {.info = {"bass_fm", "bass", 39, 28, 50, true, "FM bass: hard, metallic attack"}, .level_db = -13.8f,
       .chain = {.mono_below_hz = 120},
       .sound = FmSpec{.operators = {{.ratio = 1, .level = 0.8f, .envelope = {0.002f, 1.2f, 0.6f, 0.1f}, .velocity = 0},
                                     {.ratio = 1, .level = 2.4f, .target = 0, .envelope = {0.001f, 0.30f, 0.25f, 0.1f}, .velocity = 0.7f, .key_scale = 0.3f},
                                     {.ratio = 3, .level = 0.9f, .target = 0, .envelope = {0.001f, 0.09f, 0, 0.1f}, .velocity = 0.8f, .key_scale = 0.3f}},
                       .release_s = 0.09f}},
  };
}

}  // namespace grym::synth
