// The six drum kits. Levels are relative to the kick; a kit's loudness is set in its patch.
#include <cmath>

#include "generation/synth/drums.h"

namespace grym::synth {
namespace {

enum HatChoke { kNoChoke = 0, kHats = 1 };

void SetDrum(DrumKit& kit, int key, DrumSpec drum) {
  for (DrumKey& entry : kit) {
    if (entry.key == key) {
      entry.drum = std::move(drum);
      return;
    }
  }
  kit.push_back({key, std::move(drum)});
}

DrumSpec Tom(float hz, float pan, float decay_s, float noise) {
  return {
      .tones = {{.hz = hz, .start_hz = 1.5f * hz, .sweep_s = 0.035f, .decay_s = decay_s, .level = 0.75f},
                {.hz = 1.59f * hz, .start_hz = 1.9f * hz, .sweep_s = 0.03f, .decay_s = 0.4f * decay_s, .level = 0.2f}},
      .bursts = {{.level = noise, .decay_s = 0.08f, .low_hz = 300, .high_hz = 4000}},
      .pan = pan,
      .level = 0.8f};
}

DrumSpec Cymbal(float decay_s, float pan, float metal_hz, float level, float low_hz) {
  return {.bursts = {{.level = 0.30f, .decay_s = decay_s, .low_hz = low_hz, .high_hz = 13000},
                     {.level = 0.35f, .decay_s = 0.12f, .low_hz = 2500, .high_hz = 9000}},
          .metal = {.level = 0.05f, .hz = metal_hz, .decay_s = 0.7f * decay_s, .low_hz = low_hz},
          .pan = pan,
          .level = level};
}

DrumSpec Hat(float decay_s, float metal, float noise, float low_hz, float level) {
  return {.bursts = {{.level = noise, .decay_s = decay_s, .low_hz = low_hz, .high_hz = 15000}},
          .metal = {.level = metal, .hz = 317, .decay_s = decay_s, .low_hz = low_hz},
          .pan = 0.22f,
          .level = level,
          .choke = kHats};
}

DrumSpec Skin(float hz, float pan, float decay_s, float slap) {
  return {.tones = {{.hz = hz, .start_hz = 1.12f * hz, .sweep_s = 0.02f, .decay_s = decay_s, .level = 0.7f},
                    {.hz = 2.3f * hz, .start_hz = 2.3f * hz, .decay_s = 0.25f * decay_s, .level = 0.15f}},
          .bursts = {{.level = slap, .decay_s = 0.03f, .low_hz = 900, .high_hz = 6000}},
          .pan = pan,
          .level = 0.62f};
}

DrumSpec Wood(float hz, float pan, float decay_s, float level) {
  return {.tones = {{.hz = hz, .start_hz = hz, .decay_s = decay_s, .level = 0.5f},
                    {.hz = 1.52f * hz, .start_hz = 1.52f * hz, .decay_s = 0.6f * decay_s, .level = 0.2f}},
          .bursts = {{.level = 0.12f, .decay_s = 0.012f, .low_hz = 1500, .high_hz = 9000}},
          .pan = pan,
          .level = level};
}

// What every kit has alike: hand percussion and cymbals.
DrumKit Percussion() {
  DrumKit kit;
  SetDrum(kit, 49, Cymbal(4.6f, -0.35f, 342, 0.75f, 3500));
  SetDrum(kit, 57, Cymbal(4.0f, 0.4f, 390, 0.7f, 4000));
  SetDrum(kit, 55, Cymbal(1.5f, -0.2f, 520, 0.6f, 5000));
  SetDrum(kit, 52, Cymbal(2.4f, 0.3f, 261, 0.7f, 2500));
  const DrumSpec ride{.tones = {{.hz = 3150, .start_hz = 3150, .decay_s = 1.1f, .level = 0.035f},
                                {.hz = 4720, .start_hz = 4720, .decay_s = 0.8f, .level = 0.03f}},
                      .bursts = {{.level = 0.10f, .decay_s = 2.6f, .low_hz = 5500, .high_hz = 14000},
                                 {.level = 0.22f, .decay_s = 0.03f, .low_hz = 3000, .high_hz = 10000}},
                      .metal = {.level = 0.035f, .hz = 410, .decay_s = 2.0f, .low_hz = 5000},
                      .pan = 0.3f,
                      .level = 0.6f};
  SetDrum(kit, 51, ride);
  SetDrum(kit, 59, ride);
  SetDrum(kit, 53,
          {.tones = {{.hz = 1130, .start_hz = 1130, .decay_s = 0.8f, .level = 0.12f},
                     {.hz = 2847, .start_hz = 2847, .decay_s = 0.6f, .level = 0.10f},
                     {.hz = 4310, .start_hz = 4310, .decay_s = 0.4f, .level = 0.07f}},
           .bursts = {{.level = 0.12f, .decay_s = 0.04f, .low_hz = 3000, .high_hz = 12000}},
           .pan = 0.3f,
           .level = 0.7f});
  SetDrum(kit, 54,
          {.bursts = {{.level = 0.5f, .decay_s = 0.16f, .low_hz = 6000, .high_hz = 14000, .count = 2, .gap_s = 0.018f}},
           .metal = {.level = 0.07f, .hz = 890, .decay_s = 0.12f, .low_hz = 7000},
           .pan = -0.25f,
           .level = 0.5f});
  SetDrum(kit, 56,
          {.tones = {{.hz = 562, .start_hz = 562, .decay_s = 0.28f, .level = 0.32f},
                     {.hz = 845, .start_hz = 845, .decay_s = 0.24f, .level = 0.30f},
                     {.hz = 1686, .start_hz = 1686, .decay_s = 0.10f, .level = 0.12f}},
           .bursts = {{.level = 0.12f, .decay_s = 0.02f, .low_hz = 1500, .high_hz = 6000}},
           .pan = -0.3f,
           .level = 0.55f,
           .drive = 0.3f});
  SetDrum(kit, 60, Skin(420, 0.25f, 0.14f, 0.2f));
  SetDrum(kit, 61, Skin(310, 0.35f, 0.18f, 0.2f));
  SetDrum(kit, 62, Skin(258, -0.3f, 0.12f, 0.4f));
  SetDrum(kit, 63, Skin(246, -0.3f, 0.32f, 0.15f));
  SetDrum(kit, 64, Skin(178, -0.15f, 0.40f, 0.12f));
  SetDrum(kit, 69,
          {.bursts = {{.level = 0.5f, .decay_s = 0.07f, .low_hz = 5500, .high_hz = 13000, .attack_s = 0.012f}},
           .pan = 0.35f,
           .level = 0.42f});
  SetDrum(kit, 70,
          {.bursts = {{.level = 0.5f, .decay_s = 0.05f, .low_hz = 7000, .high_hz = 15000, .attack_s = 0.008f}},
           .pan = -0.35f,
           .level = 0.42f});
  SetDrum(kit, 82,
          {.bursts = {{.level = 0.5f, .decay_s = 0.09f, .low_hz = 4500, .high_hz = 12000, .attack_s = 0.02f}},
           .pan = 0.3f,
           .level = 0.42f});
  SetDrum(kit, 75, Wood(2480, 0.2f, 0.09f, 0.55f));
  SetDrum(kit, 76, Wood(1150, -0.2f, 0.07f, 0.55f));
  SetDrum(kit, 77, Wood(780, 0.2f, 0.09f, 0.55f));
  SetDrum(kit, 81,
          {.tones = {{.hz = 3960, .start_hz = 3960, .decay_s = 1.6f, .level = 0.10f},
                     {.hz = 6710, .start_hz = 6710, .decay_s = 1.1f, .level = 0.08f},
                     {.hz = 9120, .start_hz = 9120, .decay_s = 0.8f, .level = 0.04f}},
           .pan = 0.4f,
           .level = 0.5f});
  return kit;
}

void SetToms(DrumKit& kit, float tune, float decay_s, float noise) {
  static constexpr int kKeys[6] = {41, 43, 45, 47, 48, 50};
  static constexpr float kHz[6] = {82, 98, 117, 139, 165, 196};
  for (int i = 0; i < 6; ++i) {
    SetDrum(
        kit, kKeys[i],
        Tom(tune * kHz[i], 0.5f - 0.2f * static_cast<float>(i), decay_s * (1 - 0.08f * static_cast<float>(i)), noise));
  }
}

void SetBoth(DrumKit& kit, int a, int b, const DrumSpec& drum) {
  SetDrum(kit, a, drum);
  SetDrum(kit, b, drum);
}

void SetHats(DrumKit& kit, float metal, float noise, float low_hz, float closed_s, float open_s, float level) {
  SetDrum(kit, 42, Hat(closed_s, metal, noise, low_hz, level));
  SetDrum(kit, 44, Hat(1.3f * closed_s, metal, 0.8f * noise, low_hz, 0.8f * level));
  SetDrum(kit, 46, Hat(open_s, metal, noise, low_hz, 0.9f * level));
}

DrumSpec Clap(float low_hz, float high_hz, float decay_s, float level) {
  return {.bursts =
              {{.level = 1.0f, .decay_s = decay_s, .low_hz = low_hz, .high_hz = high_hz, .count = 4, .gap_s = 0.0102f},
               {.level = 0.25f, .decay_s = 2.2f * decay_s, .low_hz = low_hz, .high_hz = 0.7f * high_hz}},
          .pan = 0.05f,
          .level = level};
}

DrumSpec Rim(float hz, float level) {
  return {.tones = {{.hz = hz, .start_hz = hz, .decay_s = 0.05f, .level = 0.5f},
                    {.hz = 2.72f * hz, .start_hz = 2.72f * hz, .decay_s = 0.03f, .level = 0.35f}},
          .bursts = {{.level = 0.35f, .decay_s = 0.02f, .low_hz = 1200, .high_hz = 8000}},
          .pan = -0.1f,
          .level = level};
}

DrumKit AcousticKit() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 52, .start_hz = 125, .sweep_s = 0.018f, .decay_s = 0.48f, .level = 1.0f},
                     {.hz = 96, .start_hz = 110, .sweep_s = 0.02f, .decay_s = 0.13f, .level = 0.25f}},
           .bursts = {{.level = 0.5f, .decay_s = 0.022f, .low_hz = 1200, .high_hz = 5500},
                      {.level = 0.2f, .decay_s = 0.08f, .low_hz = 60, .high_hz = 500}},
           .drive = 0.15f});
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 186, .start_hz = 225, .sweep_s = 0.012f, .decay_s = 0.17f, .level = 0.55f},
                     {.hz = 331, .start_hz = 360, .sweep_s = 0.01f, .decay_s = 0.11f, .level = 0.28f}},
           .bursts = {{.level = 0.55f, .decay_s = 0.32f, .low_hz = 900, .high_hz = 9500},
                      {.level = 0.5f, .decay_s = 0.04f, .low_hz = 2500, .high_hz = 12000}},
           .pan = -0.04f,
           .level = 0.72f,
           .drive = 0.12f});
  SetDrum(kit, 37, Rim(820, 0.5f));
  SetDrum(kit, 39, Clap(850, 6500, 0.20f, 0.55f));
  SetToms(kit, 1, 0.75f, 0.25f);
  SetHats(kit, 0.045f, 0.30f, 6500, 0.11f, 1.0f, 0.52f);
  return kit;
}

DrumKit Kit808() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 47, .start_hz = 150, .sweep_s = 0.013f, .decay_s = 1.4f, .level = 1.1f}},
           .bursts = {{.level = 0.2f, .decay_s = 0.008f, .low_hz = 400, .high_hz = 3500}},
           .drive = 0.25f});
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 178, .start_hz = 185, .decay_s = 0.17f, .level = 0.5f},
                     {.hz = 336, .start_hz = 345, .decay_s = 0.10f, .level = 0.3f}},
           .bursts = {{.level = 0.5f, .decay_s = 0.26f, .low_hz = 1500, .high_hz = 11000}},
           .level = 0.68f});
  SetDrum(kit, 37, Rim(1667, 0.42f));
  SetDrum(kit, 39, Clap(900, 5500, 0.24f, 0.62f));
  SetToms(kit, 0.95f, 0.8f, 0.06f);
  SetHats(kit, 0.11f, 0.06f, 7500, 0.09f, 0.9f, 0.6f);
  return kit;
}

DrumKit Kit909() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 50, .start_hz = 230, .sweep_s = 0.017f, .decay_s = 0.55f, .level = 1.1f}},
           .bursts = {{.level = 0.45f, .decay_s = 0.010f, .low_hz = 800, .high_hz = 7000}},
           .drive = 0.45f});
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 190, .start_hz = 290, .sweep_s = 0.012f, .decay_s = 0.13f, .level = 0.55f}},
           .bursts = {{.level = 0.62f, .decay_s = 0.30f, .low_hz = 1100, .high_hz = 10000}},
           .level = 0.68f,
           .drive = 0.25f});
  SetDrum(kit, 37, Rim(1200, 0.42f));
  SetDrum(kit, 39, Clap(1000, 7500, 0.28f, 0.66f));
  SetToms(kit, 1.05f, 0.42f, 0.12f);
  SetHats(kit, 0.075f, 0.22f, 8000, 0.10f, 0.85f, 0.55f);
  return kit;
}

DrumKit LofiKit() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 56, .start_hz = 105, .sweep_s = 0.022f, .decay_s = 0.36f, .level = 1.0f}},
           .bursts = {{.level = 0.25f, .decay_s = 0.03f, .low_hz = 300, .high_hz = 2200}},
           .drive = 0.5f});
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 172, .start_hz = 200, .sweep_s = 0.015f, .decay_s = 0.15f, .level = 0.5f}},
           .bursts = {{.level = 0.55f, .decay_s = 0.24f, .low_hz = 700, .high_hz = 4800}},
           .level = 0.7f,
           .drive = 0.4f});
  SetDrum(kit, 37, Rim(640, 0.55f));
  SetDrum(kit, 39, Clap(700, 4500, 0.12f, 0.55f));
  SetToms(kit, 0.92f, 0.38f, 0.2f);
  SetHats(kit, 0.02f, 0.34f, 5200, 0.085f, 0.7f, 0.46f);
  return kit;
}

DrumKit BrushKit() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 58, .start_hz = 92, .sweep_s = 0.025f, .decay_s = 0.42f, .level = 0.8f}},
           .bursts = {{.level = 0.14f, .decay_s = 0.03f, .low_hz = 200, .high_hz = 1800}}});
  // A brush lands soft and is drawn across the head.
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 190, .start_hz = 205, .sweep_s = 0.012f, .decay_s = 0.12f, .level = 0.16f}},
           .bursts = {{.level = 0.55f, .decay_s = 0.20f, .low_hz = 1100, .high_hz = 7500, .attack_s = 0.008f},
                      {.level = 0.16f, .decay_s = 0.45f, .low_hz = 1800, .high_hz = 6000, .attack_s = 0.06f}},
           .pan = -0.05f,
           .level = 0.7f});
  SetDrum(kit, 37, Rim(760, 0.45f));
  SetDrum(kit, 39,
          {.bursts = {{.level = 0.5f, .decay_s = 0.5f, .low_hz = 1500, .high_hz = 6500, .attack_s = 0.16f}},
           .level = 0.6f});
  SetToms(kit, 1, 0.42f, 0.12f);
  SetHats(kit, 0.03f, 0.22f, 6000, 0.10f, 0.8f, 0.45f);
  return kit;
}

DrumKit MetalKit() {
  DrumKit kit = Percussion();
  SetBoth(kit, 35, 36,
          {.tones = {{.hz = 58, .start_hz = 190, .sweep_s = 0.011f, .decay_s = 0.34f, .level = 1.0f}},
           .bursts = {{.level = 0.85f, .decay_s = 0.020f, .low_hz = 2500, .high_hz = 8000}},
           .drive = 0.4f});
  SetBoth(kit, 38, 40,
          {.tones = {{.hz = 205, .start_hz = 260, .sweep_s = 0.012f, .decay_s = 0.19f, .level = 0.7f},
                     {.hz = 368, .start_hz = 390, .decay_s = 0.12f, .level = 0.3f}},
           .bursts = {{.level = 0.7f, .decay_s = 0.40f, .low_hz = 900, .high_hz = 11000}},
           .level = 0.8f,
           .drive = 0.4f});
  SetDrum(kit, 37, Rim(900, 0.5f));
  SetDrum(kit, 39, Clap(900, 7000, 0.15f, 0.6f));
  SetToms(kit, 0.9f, 0.85f, 0.4f);
  SetHats(kit, 0.07f, 0.30f, 6000, 0.13f, 1.3f, 0.55f);
  return kit;
}

}  // namespace

DrumKit MakeDrumKit(std::string_view name) {
  if (name == "kit_808") return Kit808();
  if (name == "kit_909") return Kit909();
  if (name == "kit_lofi") return LofiKit();
  if (name == "kit_brush") return BrushKit();
  if (name == "kit_metal") return MetalKit();
  return AcousticKit();
}

}  // namespace grym::synth
