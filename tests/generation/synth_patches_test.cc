#include "generation/synth/patches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <set>

#include "analysis/enhance/loudness_gain.h"
#include "generation/render.h"
#include "generation/synth/subtractive.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

ScoreNote NoteAt(double start_s, double duration_s, int pitch, float velocity = 0.8f) {
  ScoreNote note;
  note.start_s = start_s;
  note.duration_s = duration_s;
  note.pitch = pitch;
  note.velocity = velocity;
  return note;
}

AudioBuffer Play(const std::string& patch, const std::vector<ScoreNote>& notes, double duration_s,
                 const std::map<std::string, float>& settings = {}) {
  Score score;
  score.duration_s = duration_s;
  InstrumentPart part;
  part.stem = "x";
  part.patch = patch;
  part.notes = notes;
  part.settings = settings;
  score.parts = {part};
  absl::StatusOr<Rendered> rendered = RenderScore(score, {}, false);
  EXPECT_TRUE(rendered.ok()) << rendered.status();
  return rendered.ok() ? rendered->mix : *AudioBuffer::Create(2, 1, 44100);
}

// What a patch's level is measured by: a groove, one long note, or a line of half notes, all at velocity 0.8.
std::vector<ScoreNote> Phrase(const PatchInfo& patch) {
  std::vector<ScoreNote> notes;
  const int middle = (patch.low + patch.high) / 2;
  for (int beat = 0; beat < 8; ++beat) {
    const double t = 0.5 * beat;
    if (patch.family == "drums") {
      notes.push_back(NoteAt(t, 0.1, beat % 2 == 0 ? 36 : 38));
      notes.push_back(NoteAt(t, 0.05, 42));
      notes.push_back(NoteAt(t + 0.25, 0.05, 42, 0.6f));
    } else if (patch.family != "fx" && patch.family != "pad") {
      notes.push_back(NoteAt(t, 0.45, middle + beat % 2 * 5 - beat % 4 / 2 * 3));
    }
  }
  if (patch.family == "fx") notes.push_back(NoteAt(0, 3, patch.name == "impact" ? 36 : 60));
  if (patch.family == "pad") notes.push_back(NoteAt(0, 4, middle));
  return notes;
}

double Peak(std::span<const float> x) {
  float peak = 0;
  for (const float s : x) peak = std::max(peak, std::abs(s));
  return peak;
}

bool Pitched(const PatchInfo& patch) { return patch.family != "drums" && patch.family != "fx"; }

// Frequency of the partial nearest to `hz`, weighted by power over [from_s, to_s): the signal is brought down to 0 Hz,
// smoothed over six periods, and the mean turn from one point to the next is read ("pulse pair", Miller and Rochwarger
// 1972).
double PartialHz(std::span<const float> x, double hz, double from_s, double to_s) {
  const double rate = 44100;
  const int reach = static_cast<int>(3 * rate / hz);
  const int hop = std::max(8, reach / 2);
  const std::complex<double> step = std::polar(1.0, -6.283185307179586 * hz / rate);
  std::vector<double> window(static_cast<size_t>(2 * reach + 1));
  for (int k = -reach; k <= reach; ++k)
    window[static_cast<size_t>(k + reach)] = 0.5 + 0.5 * std::cos(3.141592653589793 * k / (reach + 1));
  std::complex<double> before, sum;
  bool first = true;
  for (int centre = static_cast<int>(from_s * rate) + reach; centre + reach < static_cast<int>(to_s * rate);
       centre += hop) {
    std::complex<double> z, turn = std::polar(1.0, -6.283185307179586 * hz * (centre - reach) / rate);
    for (int k = 0; k <= 2 * reach; ++k) {
      z += window[static_cast<size_t>(k)] * static_cast<double>(x[static_cast<size_t>(centre - reach + k)]) * turn;
      turn *= step;
    }
    if (!first) sum += std::conj(before) * z;
    before = z;
    first = false;
  }
  return hz + std::arg(sum) * rate / (6.283185307179586 * hop);
}

TEST(SynthPatchesTest, TheListHasWhatComposersRelyOn) {
  for (const char* name : {"kit_acoustic",
                           "kit_808",
                           "kit_909",
                           "kit_lofi",
                           "kit_brush",
                           "kit_metal",
                           "bass_sub",
                           "bass_saw",
                           "bass_reese",
                           "bass_acid",
                           "bass_finger",
                           "bass_upright",
                           "bass_fm",
                           "piano",
                           "epiano",
                           "organ",
                           "clav",
                           "bell_fm",
                           "vibes",
                           "music_box",
                           "pad_warm",
                           "pad_glass",
                           "strings",
                           "choir",
                           "supersaw",
                           "guitar_nylon",
                           "guitar_steel",
                           "guitar_clean",
                           "guitar_distorted",
                           "harp",
                           "pluck",
                           "lead_saw",
                           "lead_square",
                           "lead_soft",
                           "flute",
                           "sax",
                           "brass",
                           "whistle",
                           "riser",
                           "noise_sweep",
                           "impact",
                           "vinyl",
                           "rain"}) {
    EXPECT_NE(FindPatch(name), nullptr) << name;
  }
  std::set<std::string> names;
  for (const PatchInfo& patch : Patches()) {
    EXPECT_TRUE(names.insert(patch.name).second) << patch.name;
    EXPECT_FALSE(patch.description.empty());
    EXPECT_LT(patch.low, patch.high);
  }
  EXPECT_EQ(FindPatch("kazoo"), nullptr);
}

TEST(SynthPatchesTest, SettingsAreCheckedByNameAndRange) {
  EXPECT_TRUE(CheckPatch("bass_acid", {{"resonance", 0.5f}, {"cutoff_hz", 800}, {"drive", 0.2f}}).ok());
  EXPECT_EQ(ErrorCode(CheckPatch("kazoo", {})), "unknown_patch");
  EXPECT_EQ(ErrorCode(CheckPatch("piano", {{"sparkle", 1}})), "unknown_setting");
  EXPECT_EQ(ErrorCode(CheckPatch("piano", {{"drive", 2}})), "bad_setting");
  for (const PatchSetting& setting : PatchSettings()) {  // every one works somewhere, at both of its ends
    int takers = 0;
    for (const PatchInfo& patch : Patches()) {
      takers += CheckPatch(patch.name, {{setting.name, setting.low}}).ok() &&
                        CheckPatch(patch.name, {{setting.name, setting.high}}).ok()
                    ? 1
                    : 0;
    }
    EXPECT_GT(takers, 0) << setting.name;
  }
}

TEST(SynthPatchesTest, EveryPatchIsCalibratedFiniteAndCentred) {
  for (const PatchInfo& patch : Patches()) {
    const AudioBuffer audio = Play(patch.name, Phrase(patch), 5);
    for (const float x : audio.planar()) ASSERT_TRUE(std::isfinite(x)) << patch.name;
    const double want = patch.name == "vinyl" ? -40 : patch.name == "rain" ? -33 : -23;
    EXPECT_NEAR(*IntegratedLufs(audio.Slice(0, 4 * 44100)), want, 2.5) << patch.name;
    EXPECT_LT(Peak(audio.planar()), 0.9) << patch.name;
    for (int c = 0; c < 2; ++c) {
      double sum = 0;
      for (const float x : audio.channel(c)) sum += x;
      EXPECT_LT(std::abs(sum / static_cast<double>(audio.frames())), 1e-4) << patch.name;
    }
  }
}

TEST(SynthPatchesTest, PitchIsWithinThreeCentsFromC2ToC6) {
  for (const PatchInfo& patch : Patches()) {
    if (!Pitched(patch)) continue;
    // What moves the pitch on purpose is taken out where there is any: detuned pairs beat slower than a note lasts.
    std::map<std::string, float> settings{{"chorus", 0.0f}};
    for (const char* moving : {"vibrato_cents", "detune"}) {
      if (CheckPatch(patch.name, {{moving, 0}}).ok()) settings[moving] = 0;
    }
    for (const int pitch : {36, 48, 60, 72, 84}) {
      const AudioBuffer audio = Play(patch.name, {NoteAt(0, 1.6, pitch)}, 1.6, settings).ToMono();
      const double hz = 440 * std::exp2((pitch - 69) / 12.0);
      const double found = PartialHz(audio.channel(0), hz, 0.25, 1.5);
      EXPECT_LT(std::abs(1200 * std::log2(found / hz)), 3)
          << patch.name << " " << pitch << ": " << found << " Hz for " << hz;
    }
  }
}

TEST(SynthPatchesTest, DetunedVoicesLieEvenlyAroundThePitchAndTheMiddle) {
  for (int count = 1; count <= 8; ++count) {
    float cents = 0, pan = 0, power = 0;
    for (const synth::OscillatorSpec& oscillator : synth::Unison(synth::Wave::kSaw, count, 20, 1)) {
      cents += oscillator.cents;
      pan += oscillator.pan;
      power += oscillator.level * oscillator.level;
    }
    EXPECT_NEAR(cents, 0, 1e-3) << count;
    EXPECT_NEAR(pan, 0, 1e-4) << count;
    EXPECT_NEAR(power, 1, 1e-4) << count;
  }
}

TEST(SynthPatchesTest, GlideStartsAtTheOtherPitchAndArrives) {
  for (const char* patch : {"bass_acid", "bass_finger", "bass_fm", "lead_saw"}) {
    ScoreNote note = NoteAt(0, 1.5, 57);
    note.glide_from = -12;
    const AudioBuffer audio = Play(patch, {note}, 1.5, {{"glide_s", 0.6f}, {"vibrato_cents", 0}}).ToMono();
    EXPECT_NEAR(PartialHz(audio.channel(0), 220, 0.8, 1.4), 220, 1) << patch;
    EXPECT_NEAR(PartialHz(audio.channel(0), 112, 0, 0.12), 112, 5) << patch;
  }
}

TEST(SynthPatchesTest, NoteOffDoesNotClick) {
  for (const PatchInfo& patch : Patches()) {
    if (!Pitched(patch)) continue;
    const int middle = (patch.low + patch.high) / 2;
    const AudioBuffer audio = Play(patch.name, {NoteAt(0, 0.7, middle)}, 1.2);
    const auto x = audio.channel(0);
    const auto steepest = [&](double from_s, double to_s) {
      float most = 0;
      for (auto i = static_cast<size_t>(from_s * 44100); i < static_cast<size_t>(to_s * 44100); ++i)
        most = std::max(most, std::abs(x[i] - x[i - 1]));
      return most;
    };
    EXPECT_LT(steepest(0.695, 1.19), 1.5f * steepest(0.45, 0.69) + 1e-4f) << patch.name;
    EXPECT_LT(Peak(x.subspan(0, 4)), 0.25 * Peak(x)) << patch.name;  // nor does it start with a jump
  }
}

TEST(SynthPatchesTest, NotesThatEndAreGone) {
  for (const PatchInfo& patch : Patches()) {
    const std::vector<ScoreNote> notes = {NoteAt(0, 0.3, patch.family == "drums" ? 42 : 60)};
    const AudioBuffer audio = Play(patch.name, notes, 6);
    EXPECT_LT(Peak(audio.channel(0).subspan(5 * 44100)), 2e-3) << patch.name;
  }
}

TEST(SynthPatchesTest, VelocityMakesLouderAndBrighter) {
  for (const PatchInfo& patch : Patches()) {
    if (!Pitched(patch)) continue;
    const auto measure = [&](float velocity) {
      const AudioBuffer audio = Play(patch.name, {NoteAt(0, 0.9, (patch.low + patch.high) / 2, velocity)}, 1).ToMono();
      double power = 0, slope = 0;
      const auto x = audio.channel(0);
      for (size_t i = 1; i < x.size(); ++i) {
        power += static_cast<double>(x[i]) * x[i];
        slope += static_cast<double>(x[i] - x[i - 1]) * (x[i] - x[i - 1]);
      }
      return std::pair(power, std::sqrt(slope / power));
    };
    const auto [soft_power, soft_colour] = measure(0.35f);
    const auto [loud_power, loud_colour] = measure(1.0f);
    EXPECT_GT(loud_power, 1.4 * soft_power) << patch.name;
    EXPECT_GT(loud_colour, 0.97 * soft_colour) << patch.name;
  }
}

TEST(SynthPatchesTest, ClosedHatChokesTheOpenOne) {
  const AudioBuffer open = Play("kit_909", {NoteAt(0, 0.1, 46)}, 0.5);
  const AudioBuffer choked = Play("kit_909", {NoteAt(0, 0.1, 46), NoteAt(0.1, 0.1, 42)}, 0.5);
  const auto late = [](const AudioBuffer& audio) { return Peak(audio.channel(0).subspan(44100 / 4, 4000)); };
  EXPECT_GT(late(open), 0.005);
  EXPECT_LT(late(choked), 0.25 * late(open));
}

TEST(SynthPatchesTest, AnyCombinationOfExtremeSettingsStaysFinite) {
  for (const PatchInfo& patch : Patches()) {
    for (const bool high : {false, true}) {
      std::map<std::string, float> settings;
      for (const PatchSetting& setting : PatchSettings()) {
        const float value = high ? setting.high : setting.low;
        if (CheckPatch(patch.name, {{setting.name, value}}).ok()) settings[setting.name] = value;
      }
      std::vector<ScoreNote> notes = {NoteAt(0, 0.3, 36), NoteAt(0.1, 0.2, 42)};
      if (Pitched(patch)) {
        notes.push_back(NoteAt(0.1, 0.2, 127, 1));
        notes.push_back(NoteAt(0.1, 0.2, 0, 1));
      }
      const AudioBuffer audio = Play(patch.name, notes, 0.6, settings);
      for (const float x : audio.planar()) ASSERT_TRUE(std::isfinite(x) && std::abs(x) < 30) << patch.name;
    }
  }
}

}  // namespace
}  // namespace grym
