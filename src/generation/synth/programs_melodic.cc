// Pads, plucked strings, leads and noise.
#include "generation/synth/program.h"

namespace grym::synth {

std::vector<Program> PadPrograms() {
  std::vector<OscillatorSpec> warm = Unison(Wave::kSaw, 3, 9, 0.8f, 0, 0.8f);
  warm.push_back({.wave = Wave::kTriangle, .semitones = -12, .level = 0.45f});
  return {
      {.info = {"pad_warm", "pad", 89, 48, 79, true, "slow, soft analogue pad"}, .level_db = -16.4f,
       .chain = {.low_cut_hz = 110, .chorus = 0.5f},
       .sound = SubtractiveSpec{.oscillators = warm, .filter = FilterKind::kLow12, .cutoff_hz = 950, .key_track = 0.4f, .env_octaves = 1.1f, .resonance = 0.1f,
                                .amp = {0.35f, 1, 0.9f, 0.9f}, .filter_env = {0.9f, 2.5f, 0.6f, 1.2f}, .velocity_curve = 1}},
      {.info = {"pad_glass", "pad", 92, 55, 88, true, "clear FM pad with slow partials"}, .level_db = -15.0f,
       .chain = {.low_cut_hz = 140, .chorus = 0.6f},
       .sound = FmSpec{.operators = {{.ratio = 1, .detune_cents = -3, .level = 0.45f, .envelope = {0.25f, 1, 0.9f, 1.0f}, .velocity = 0, .pan = -0.5f},
                                     {.ratio = 2, .level = 0.7f, .target = 0, .envelope = {0.6f, 3, 0.5f, 1.0f}, .velocity = 0.5f, .key_scale = 0.6f},
                                     {.ratio = 1, .detune_cents = 3, .level = 0.45f, .envelope = {0.25f, 1, 0.9f, 1.0f}, .velocity = 0, .pan = 0.5f},
                                     {.ratio = 4, .level = 0.35f, .target = 2, .envelope = {0.05f, 4, 0.3f, 1.0f}, .velocity = 0.5f, .key_scale = 0.8f}},
                       .release_s = 1.1f}},
      {.info = {"strings", "pad", 48, 43, 88, true, "string ensemble"}, .level_db = -17.4f,
       .chain = {.low_cut_hz = 90, .chorus = 0.55f},
       .sound = SubtractiveSpec{.oscillators = Unison(Wave::kSaw, 5, 11, 0.8f), .filter = FilterKind::kLow12, .cutoff_hz = 2600, .key_track = 0.35f, .velocity_octaves = 1.6f,
                                .amp = {0.11f, 0.5f, 0.92f, 0.35f}, .pitch = {.vibrato_cents = 7, .vibrato_hz = 5.1f}, .velocity_curve = 1.1f}},
      {.info = {"choir", "pad", 52, 48, 79, true, "mixed choir on \"ah\""}, .level_db = -10.9f,
       .chain = {.formant = Formant::kChoir, .low_cut_hz = 110, .chorus = 0.4f},
       .sound = SubtractiveSpec{.oscillators = Unison(Wave::kSaw, 4, 10, 0.7f), .noise = 0.03f, .filter = FilterKind::kLow12, .cutoff_hz = 3800, .key_track = 0.2f,
                                .amp = {0.16f, 0.5f, 0.95f, 0.4f}, .pitch = {.vibrato_cents = 10, .vibrato_hz = 4.9f, .vibrato_delay_s = 0.35f}, .velocity_curve = 1.1f}},
      {.info = {"supersaw", "pad", 81, 48, 84, true, "seven detuned saws, wide and bright"}, .level_db = -16.5f,
       .chain = {.low_cut_hz = 130, .chorus = 0.2f},
       .sound = SubtractiveSpec{.oscillators = Unison(Wave::kSaw, 7, 18, 0.9f), .filter = FilterKind::kLow12, .cutoff_hz = 4200, .key_track = 0.4f, .env_octaves = 0.8f, .velocity_octaves = 1.8f,
                                .resonance = 0.12f, .amp = {0.006f, 0.4f, 0.85f, 0.22f}, .filter_env = {0.005f, 0.5f, 0.3f, 0.3f}}},
  };
}

std::vector<Program> StringPrograms() {
  return {
      {.info = {"guitar_nylon", "pluck", 24, 40, 76, false, "classical guitar"}, .level_db = -9.6f,
       .chain = {.low_cut_hz = 75},
       .sound = PluckSpec{.decay_s = 2.8f, .decay_track = 0.55f, .damping = 0.11f, .pick_hz = 1900, .pick_position = 0.20f, .noise = 0.45f, .release_s = 0.16f, .thump = 0.07f, .thump_hz = 104}},
      {.info = {"guitar_steel", "pluck", 25, 40, 79, false, "steel-string guitar with a pick"}, .level_db = -11.4f,
       .chain = {.low_cut_hz = 85},
       .sound = PluckSpec{.decay_s = 4.5f, .decay_track = 0.55f, .damping = 0.030f, .pick_hz = 4200, .pick_position = 0.12f, .noise = 0.75f, .release_s = 0.18f, .thump = 0.05f, .thump_hz = 112}},
      {.info = {"guitar_clean", "pluck", 27, 40, 81, false, "electric guitar, clean amplifier"}, .level_db = -9.3f,
       .chain = {.drive = 0.05f, .low_cut_hz = 95, .high_cut_hz = 6000, .chorus = 0.3f},
       .sound = PluckSpec{.decay_s = 5, .decay_track = 0.5f, .damping = 0.040f, .pick_hz = 3000, .pick_position = 0.16f, .noise = 0.5f, .release_s = 0.12f, .width = 0.05f}},
      {.info = {"guitar_distorted", "pluck", 30, 40, 76, false, "electric guitar through a driven amplifier and a speaker"}, .level_db = -3.9f,
       .chain = {.drive = 0.72f, .cabinet = true},
       .sound = PluckSpec{.decay_s = 8, .decay_track = 0.4f, .damping = 0.028f, .pick_hz = 3200, .pick_position = 0.14f, .noise = 0.55f, .release_s = 0.08f, .width = 0}},
      {.info = {"harp", "pluck", 46, 43, 91, false, "concert harp"}, .level_db = -10.2f,
       .sound = PluckSpec{.decay_s = 4.2f, .decay_track = 0.75f, .damping = 0.055f, .pick_hz = 1800, .pick_position = 0.42f, .noise = 0.25f, .release_s = 1.2f, .thump = 0.02f, .width = 0.4f}},
      {.info = {"pluck", "pluck", 45, 48, 88, false, "short synthetic pluck"}, .level_db = -10.2f,
       .chain = {.low_cut_hz = 120},
       .sound = SubtractiveSpec{.oscillators = Unison(Wave::kSaw, 3, 7, 0.6f), .filter = FilterKind::kLow24, .cutoff_hz = 600, .key_track = 0.6f, .env_octaves = 3.4f, .velocity_octaves = 2.4f,
                                .resonance = 0.25f, .amp = {0.002f, 0.55f, 0, 0.25f}, .filter_env = {0.001f, 0.30f, 0, 0.2f}}},
  };
}

std::vector<Program> LeadPrograms() {
  std::vector<OscillatorSpec> saw = Unison(Wave::kSaw, 3, 8, 0.35f);
  saw.push_back({.wave = Wave::kSquare, .semitones = -12, .level = 0.22f});
  return {
      {.info = {"lead_saw", "lead", 81, 55, 86, true, "bright saw lead"}, .level_db = -17.9f,
       .sound = SubtractiveSpec{.oscillators = saw, .filter = FilterKind::kLow12, .cutoff_hz = 3200, .key_track = 0.5f, .env_octaves = 1, .velocity_octaves = 2, .resonance = 0.25f,
                                .amp = {0.005f, 0.4f, 0.8f, 0.14f}, .filter_env = {0.004f, 0.5f, 0.35f, 0.2f}, .pitch = {.vibrato_cents = 12}}},
      {.info = {"lead_square", "lead", 80, 55, 88, true, "hollow square lead"}, .level_db = -18.4f,
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kSquare, .cents = -3, .level = 0.5f, .pan = -0.2f}, {.wave = Wave::kSquare, .cents = 3, .level = 0.5f, .pan = 0.2f}},
                                .filter = FilterKind::kLow12, .cutoff_hz = 3000, .key_track = 0.6f, .velocity_octaves = 1.6f, .amp = {0.004f, 0.3f, 0.8f, 0.1f}, .pitch = {.vibrato_cents = 14}}},
      {.info = {"lead_soft", "lead", 85, 52, 84, true, "round lead: triangle with a breath of saw"}, .level_db = -14.3f,
       .chain = {.chorus = 0.15f},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kTriangle, .level = 0.8f}, {.wave = Wave::kSaw, .cents = 5, .level = 0.11f, .pan = 0.3f}, {.wave = Wave::kSaw, .cents = -5, .level = 0.11f, .pan = -0.3f}},
                                .filter = FilterKind::kLow12, .cutoff_hz = 2200, .key_track = 0.7f, .velocity_octaves = 1.5f, .amp = {0.025f, 0.4f, 0.85f, 0.2f}, .pitch = {.vibrato_cents = 13, .vibrato_delay_s = 0.3f}}},
      {.info = {"flute", "lead", 73, 60, 93, true, "flute with breath"}, .level_db = -17.3f,
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kFlute}}, .noise = 0.035f, .noise_attack = 0.14f, .filter = FilterKind::kLow12, .cutoff_hz = 2600, .key_track = 0.8f, .velocity_octaves = 2.5f,
                                .amp = {0.05f, 0.3f, 0.9f, 0.11f}, .pitch = {.vibrato_cents = 14, .vibrato_hz = 5.0f, .vibrato_delay_s = 0.3f, .scoop_semitones = -0.25f, .scoop_s = 0.05f}}},
      {.info = {"sax", "lead", 66, 49, 81, true, "tenor saxophone"}, .level_db = -14.7f,
       .chain = {.formant = Formant::kSax, .drive = 0.03f},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kReed}}, .noise = 0.02f, .noise_attack = 0.10f, .filter = FilterKind::kLow12, .cutoff_hz = 2300, .key_track = 0.3f, .env_octaves = 0.7f, .velocity_octaves = 3,
                                .amp = {0.03f, 0.25f, 0.85f, 0.09f}, .filter_env = {0.05f, 0.5f, 0.5f, 0.1f}, .pitch = {.vibrato_cents = 16, .vibrato_hz = 5.2f, .vibrato_delay_s = 0.35f, .scoop_semitones = -0.5f, .scoop_s = 0.06f}}},
      {.info = {"brass", "lead", 61, 48, 82, true, "brass section: opens with the breath"}, .level_db = -14.9f,
       .chain = {.formant = Formant::kBrass},
       .sound = SubtractiveSpec{.oscillators = Unison(Wave::kSaw, 3, 6, 0.5f), .noise_attack = 0.04f, .filter = FilterKind::kLow24, .cutoff_hz = 800, .key_track = 0.5f, .env_octaves = 2.1f, .velocity_octaves = 2.6f, .resonance = 0.1f,
                                .amp = {0.035f, 0.3f, 0.85f, 0.12f}, .filter_env = {0.06f, 0.45f, 0.55f, 0.15f}, .pitch = {.vibrato_cents = 6, .vibrato_delay_s = 0.5f, .scoop_semitones = -0.4f, .scoop_s = 0.05f}}},
      {.info = {"whistle", "lead", 78, 67, 96, true, "a whistled sine"}, .level_db = -19.3f,
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kSine}}, .noise = 0.03f, .noise_attack = 0.05f, .filter = FilterKind::kNone,
                                .amp = {0.04f, 0.2f, 0.95f, 0.09f}, .pitch = {.vibrato_cents = 18, .vibrato_hz = 5.6f, .glide_s = 0.1f, .scoop_semitones = -0.5f, .scoop_s = 0.07f}}},
  };
}

std::vector<Program> TexturePrograms() {
  return {
      {.info = {"riser", "fx", 97, 48, 72, true, "noise and a saw rising over the note"}, .level_db = -8.1f, .chain = {.low_cut_hz = 150}, .sound = TextureSpec{TextureKind::kRiser}},
      {.info = {"noise_sweep", "fx", 97, 48, 72, true, "noise falling over the note; rising with detail above 0.5"}, .level_db = -7.9f, .chain = {.low_cut_hz = 200}, .sound = TextureSpec{TextureKind::kSweep}},
      {.info = {"impact", "fx", 127, 24, 48, false, "low boom with a noise tail"}, .level_db = -9.2f, .sound = TextureSpec{TextureKind::kImpact}},
      {.info = {"vinyl", "fx", 122, 36, 84, true, "crackle of a record"}, .level_db = -9.2f, .sound = TextureSpec{TextureKind::kVinyl}},
      {.info = {"rain", "fx", 122, 36, 84, true, "rain on leaves"}, .level_db = -18.1f, .sound = TextureSpec{TextureKind::kRain}},
  };
}

}  // namespace grym::synth
