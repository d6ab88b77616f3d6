// Keyboards and struck bars.
#include "generation/synth/program.h"

namespace grym::synth {

std::vector<Program> KeysPrograms() {
  return {
      {.info = {"piano", "keys", 0, 40, 84, false, "acoustic piano"}, .level_db = -4.8f,
       .sound = ModalSpec{.piano = true, .decay_s = 7, .decay_track = 0.75f, .strike_hz = 1500, .velocity_octaves = 3, .release_s = 0.28f, .hammer = 0.07f, .width = 0.35f}},
      {.info = {"epiano", "keys", 4, 40, 80, false, "electric piano: bell-like tines, warm body, slow tremolo"}, .level_db = -15.0f,
       .chain = {.chorus = 0.25f, .tremolo = 0.18f, .tremolo_hz = 4.2f},
       .sound = FmSpec{.operators = {{.ratio = 1, .detune_cents = 0, .level = 0.62f, .envelope = {0.002f, 3.2f, 0, 0.3f}, .velocity = 0},
                                     {.ratio = 1, .level = 0.85f, .target = 0, .envelope = {0.001f, 1.5f, 0.12f, 0.3f}, .velocity = 0.9f, .key_scale = 0.35f},
                                     {.ratio = 1, .detune_cents = 0, .level = 0.30f, .envelope = {0.002f, 2.0f, 0, 0.3f}, .velocity = 0.2f},
                                     {.ratio = 14, .level = 0.32f, .target = 2, .envelope = {0.001f, 0.32f, 0, 0.2f}, .velocity = 1, .key_scale = 0.9f}},
                       .release_s = 0.22f, .hammer = 0.03f}},
      {.info = {"organ", "keys", 16, 36, 84, true, "drawbar organ through a rotating speaker"}, .level_db = -10.8f,
       .chain = {.drive = 0.05f, .high_cut_hz = 7500, .rotor = 1, .tremolo = 0.16f, .tremolo_hz = 6.1f},
       .sound = SubtractiveSpec{.oscillators = {{.wave = Wave::kOrgan, .semitones = -12}}, .noise_attack = 0.05f, .filter = FilterKind::kNone,
                                .amp = {0.004f, 0.1f, 1, 0.05f}, .velocity_curve = 0.5f}},
      {.info = {"clav", "keys", 7, 40, 76, false, "clavinet: hard struck strings under pickups"}, .level_db = -7.8f,
       .chain = {.formant = Formant::kClav, .drive = 0.04f, .low_cut_hz = 130},
       .sound = PluckSpec{.decay_s = 2.4f, .decay_track = 0.5f, .damping = 0.035f, .pick_hz = 3200, .pick_position = 0.10f, .noise = 0.1f, .release_s = 0.06f, .width = 0.05f}},
      {.info = {"bell_fm", "keys", 14, 60, 96, false, "FM bell"}, .level_db = -16.2f,
       .sound = FmSpec{.operators = {{.ratio = 1, .level = 0.6f, .envelope = {0.001f, 4.0f, 0, 1.5f}, .velocity = 0, .pan = -0.2f},
                                     {.ratio = 3.5f, .level = 1.5f, .target = 0, .envelope = {0.001f, 2.2f, 0, 1.0f}, .velocity = 0.8f, .key_scale = 0.5f},
                                     {.ratio = 2.0f, .detune_cents = 2, .level = 0.25f, .envelope = {0.001f, 2.5f, 0, 1.0f}, .velocity = 0.3f, .pan = 0.3f},
                                     {.ratio = 5.19f, .level = 0.8f, .target = 2, .envelope = {0.001f, 0.9f, 0, 1.0f}, .velocity = 0.8f, .key_scale = 0.5f}},
                       .release_s = 1.4f}},
      {.info = {"vibes", "keys", 11, 53, 89, false, "vibraphone with its fans turning"}, .level_db = -2.4f,
       .chain = {.tremolo = 0.35f, .tremolo_hz = 4.6f},
       .sound = ModalSpec{.modes = {{1, 1, 4.5f}, {3.984f, 0.28f, 1.6f}, {10.2f, 0.12f, 0.35f}, {17.9f, 0.06f, 0.12f}}, .decay_track = 0.5f, .strike_hz = 2400, .release_s = 0.5f, .hammer = 0.03f, .width = 0.2f}},
      {.info = {"music_box", "keys", 10, 64, 96, false, "plucked steel comb"}, .level_db = -1.3f,
       .sound = ModalSpec{.modes = {{1, 1, 2.2f}, {2.003f, 0.16f, 1.2f}, {3.01f, 0.10f, 0.7f}, {6.27f, 0.22f, 0.5f}, {9.1f, 0.06f, 0.2f}, {17.5f, 0.06f, 0.1f}}, .decay_track = 0.4f, .strike_hz = 5000, .release_s = 0.9f, .hammer = 0.015f, .width = 0.3f}},
  };
}

}  // namespace grym::synth
