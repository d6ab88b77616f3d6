#include "generation/render.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "generation/master.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

InstrumentPart Part(const std::string& stem, const std::string& patch) {
  InstrumentPart part;
  part.stem = stem;
  part.patch = patch;
  return part;
}

void AddNote(InstrumentPart& part, double start_s, double duration_s, int pitch, float velocity = 0.8f) {
  ScoreNote note;
  note.start_s = start_s;
  note.duration_s = duration_s;
  note.pitch = pitch;
  note.velocity = velocity;
  part.notes.push_back(note);
}

// Six stems with every kind of effect: sends, side chain, automation, drive, chorus.
Score Band(double duration_s) {
  Score score;
  score.duration_s = duration_s;
  InstrumentPart drums = Part("drums", "kit_909"), bass = Part("bass", "bass_acid"), chords = Part("chords", "epiano");
  InstrumentPart pad = Part("pad", "strings"), lead = Part("lead", "guitar_distorted"), arp = Part("arp", "harp"),
            shaker = Part("drums", "kit_acoustic");
  for (double t = 0; t < duration_s - 0.5; t += 0.5) {
    AddNote(drums, t, 0.1, 36);
    AddNote(drums, t + 0.25, 0.1, 42, 0.6f);
    AddNote(shaker, t + 0.125, 0.1, 70, 0.5f);
    AddNote(bass, t, 0.3, 36);
    for (const int pitch : {60, 63, 67}) AddNote(chords, t, 0.4, pitch, 0.7f);
    AddNote(arp, t + 0.25, 0.3, 72);
    AddNote(lead, t, 0.45, 64);
  }
  AddNote(pad, 0, duration_s - 1, 55);
  chords.reverb_db = -15;
  chords.sidechain = true;
  chords.pan = -0.4f;
  arp.delay_db = -10;
  arp.reverb_db = -10;
  pad.reverb_db = -12;
  pad.automation = {{"cutoff", {{0, 0.3f}, {duration_s, 2.0f}}},
                    {"pan", {{0, -0.5f}, {duration_s, 0.5f}}},
                    {"gain_db", {{0, -12}, {1, 0}}},
                    {"reverb_db", {{0, -30}, {1, -6}}}};
  drums.reverb_db = -25;
  lead.reverb_db = -20;
  bass.reverb_db = -40;
  score.parts = {drums, bass, chords, pad, lead, arp, shaker};
  return score;
}

double Energy(std::span<const float> samples) {
  double sum = 0;
  for (const float x : samples) sum += static_cast<double>(x) * x;
  return sum;
}

TEST(RenderTest, StemsAddUpToTheMixAndEveryOneSounds) {
  const absl::StatusOr<Rendered> rendered = RenderScore(Band(3));
  ASSERT_TRUE(rendered.ok()) << rendered.status();
  EXPECT_EQ(rendered->mix.frames(), 3 * 44100);
  EXPECT_EQ(rendered->mix.channels(), 2);
  ASSERT_EQ(rendered->stems.size(), 6u);  // the two drum parts share one
  EXPECT_EQ(rendered->stems[0].name, "drums");
  EXPECT_EQ(rendered->stems[5].name, "arp");
  double worst = 0;
  for (size_t i = 0; i < rendered->mix.planar().size(); ++i) {
    double sum = 0;
    for (const Stem& stem : rendered->stems) sum += stem.audio.planar()[i];
    worst = std::max(worst, std::abs(sum - rendered->mix.planar()[i]));
  }
  EXPECT_LT(worst, 1e-5);
  for (const Stem& stem : rendered->stems) EXPECT_GT(Energy(stem.audio.planar()), 1) << stem.name;
  EXPECT_GE(rendered->peak_bytes, 7 * 2 * 3 * 44100 * 4);
}

TEST(RenderTest, AStemIsTheSameWhetherOthersPlayOrNot) {
  const Score all = Band(2);
  Score one = all;
  for (size_t i = 0; i < one.parts.size(); ++i) {
    if (i != 4) one.parts[i].notes.clear();  // the index of a part seeds its notes, so the part stays where it is
  }
  const absl::StatusOr<Rendered> together = RenderScore(all), alone = RenderScore(one);
  ASSERT_TRUE(together.ok() && alone.ok());
  const auto a = together->stems[4].audio.planar(), b = alone->stems[4].audio.planar();
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0);
}

TEST(RenderTest, SameScoreSameBytes) {
  const Score score = Band(2);
  const absl::StatusOr<Rendered> a = RenderScore(score), b = RenderScore(score),
                                 without_stems = RenderScore(score, {}, false);
  ASSERT_TRUE(a.ok() && b.ok() && without_stems.ok());
  EXPECT_EQ(std::memcmp(a->mix.planar().data(), b->mix.planar().data(), a->mix.planar().size_bytes()), 0);
  EXPECT_EQ(std::memcmp(a->mix.planar().data(), without_stems->mix.planar().data(), a->mix.planar().size_bytes()), 0);
  EXPECT_TRUE(without_stems->stems.empty());
  EXPECT_LT(without_stems->peak_bytes, a->peak_bytes);
}

TEST(RenderTest, FiniteAndFreeOfDc) {
  const absl::StatusOr<Rendered> rendered = RenderScore(Band(4));
  ASSERT_TRUE(rendered.ok());
  for (int c = 0; c < 2; ++c) {
    double sum = 0;
    for (const float x : rendered->mix.channel(c)) {
      ASSERT_TRUE(std::isfinite(x));
      sum += x;
    }
    EXPECT_LT(std::abs(sum / static_cast<double>(rendered->mix.frames())), 1e-4);
  }
}

TEST(RenderTest, RepeatedNotesAreNeverTheSameBytes) {
  Score score;
  score.duration_s = 2;
  InstrumentPart part = Part("drums", "kit_808");
  AddNote(part, 0, 0.1, 38);
  AddNote(part, 1, 0.1, 38);
  score.parts = {part};
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  ASSERT_TRUE(rendered.ok());
  const int64_t second = (44100 + 16) / 32 * 32;  // where the second note's block starts
  const auto left = rendered->mix.channel(0);
  EXPECT_NE(std::memcmp(&left[0], &left[static_cast<size_t>(second)], 4000 * sizeof(float)), 0);
}

TEST(RenderTest, SideChainDucksAtTheKickAndComesBack) {
  Score score;
  score.duration_s = 3;
  InstrumentPart drums = Part("drums", "kit_909"), pad = Part("pad", "organ");
  AddNote(drums, 1.5, 0.1, 36);
  AddNote(pad, 0, 3, 60);
  pad.settings = {{"tremolo", 0.0f}};
  pad.sidechain = true;
  score.parts = {drums, pad};
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  ASSERT_TRUE(rendered.ok());
  const auto level = [&](double from_s) {
    return Energy(rendered->stems[1].audio.channel(0).subspan(static_cast<size_t>(from_s * 44100), 1500));
  };
  EXPECT_LT(level(1.51), 0.4 * level(1.40));
  EXPECT_NEAR(level(2.2) / level(1.40), 1, 0.35);  // the rotor goes on turning
}

TEST(RenderTest, DelayRepeatsAtTheScoreTime) {
  Score score;
  score.duration_s = 2;
  score.delay_s = 0.5;
  InstrumentPart part = Part("a", "kit_909");
  AddNote(part, 0.1, 0.05, 37);
  part.delay_db = 0;
  score.parts = {part};
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  ASSERT_TRUE(rendered.ok());
  const auto left = rendered->mix.channel(0);
  EXPECT_LT(Energy(left.subspan(22050, 3000)), 1e-6);
  EXPECT_GT(Energy(left.subspan(26400, 3000)), 1e-3);  // 0.6 s
}

TEST(RenderTest, PanIsEqualPower) {
  Score score;
  score.duration_s = 1;
  for (const float pan : {-1.0f, 0.0f, 1.0f}) {
    InstrumentPart part = Part("p" + std::to_string(pan), "bass_acid");
    part.pan = pan;
    AddNote(part, 0, 0.8, 48);
    score.parts.push_back(part);
  }
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  ASSERT_TRUE(rendered.ok());
  EXPECT_LT(Energy(rendered->stems[0].audio.channel(1)), 1e-9);
  EXPECT_LT(Energy(rendered->stems[2].audio.channel(0)), 1e-9);
  const double middle = Energy(rendered->stems[1].audio.planar());
  EXPECT_NEAR(Energy(rendered->stems[0].audio.planar()) / middle, 1, 0.1);
  EXPECT_NEAR(Energy(rendered->stems[2].audio.planar()) / middle, 1, 0.1);
}

TEST(RenderTest, EmptyScoreIsSilence) {
  Score score;
  score.duration_s = 0.5;
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  ASSERT_TRUE(rendered.ok());
  EXPECT_EQ(rendered->mix.frames(), 22050);
  EXPECT_EQ(Energy(rendered->mix.planar()), 0);
}

TEST(RenderTest, OtherRatesPlayToo) {
  for (const int rate_hz : {22050, 48000, 96000}) {
    Score score = Band(1);
    score.rate_hz = rate_hz;
    const absl::StatusOr<Rendered> rendered = RenderScore(score);
    ASSERT_TRUE(rendered.ok());
    EXPECT_EQ(rendered->mix.frames(), rate_hz);
    EXPECT_GT(Energy(rendered->mix.planar()) / rate_hz, 1e-4);
    EXPECT_TRUE(std::all_of(rendered->mix.planar().begin(), rendered->mix.planar().end(),
                            [](float x) { return std::isfinite(x); }));
  }
}

TEST(RenderTest, RefusalsNameWhatIsWrong) {
  const auto code = [](const std::function<void(Score&)>& spoil) {
    Score score = Band(1);
    spoil(score);
    const absl::StatusOr<Rendered> rendered = RenderScore(score);
    EXPECT_TRUE(absl::IsInvalidArgument(rendered.status())) << rendered.status();
    return ErrorCode(rendered.status());
  };
  EXPECT_EQ(code([](Score& s) { s.parts[1].patch = "kazoo"; }), "unknown_patch");
  EXPECT_EQ(code([](Score& s) { s.parts[1].settings["shine"] = 1; }), "unknown_setting");
  EXPECT_EQ(code([](Score& s) { s.parts[0].settings["resonance"] = 0.5f; }), "unknown_setting");  // a kit has no filter
  EXPECT_EQ(code([](Score& s) { s.parts[1].settings["resonance"] = 7; }), "bad_setting");
  EXPECT_EQ(code([](Score& s) { s.parts[1].settings["resonance"] = NAN; }), "bad_setting");
  EXPECT_EQ(code([](Score& s) { s.parts[0].notes[0].pitch = 5; }), "unknown_drum_key");
  EXPECT_EQ(code([](Score& s) { s.parts[1].notes[0].pitch = 128; }), "bad_note");
  EXPECT_EQ(code([](Score& s) { s.parts[1].notes[0].start_s = NAN; }), "bad_note");
  EXPECT_EQ(code([](Score& s) { s.parts[1].notes[0].velocity = 0; }), "bad_note");
  EXPECT_EQ(code([](Score& s) { s.parts[1].gain_db = INFINITY; }), "bad_part");
  EXPECT_EQ(code([](Score& s) { s.parts[1].automation = {{"colour", {{0, 1.0f}}}}; }), "unknown_automation");
  EXPECT_EQ(code([](Score& s) { s.duration_s = 0; }), "bad_score");
  EXPECT_EQ(code([](Score& s) { s.duration_s = NAN; }), "bad_score");
  EXPECT_EQ(code([](Score& s) { s.rate_hz = 100; }), "bad_score");
}

TEST(RenderTest, CancelStopsAtOnce) {
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(RenderScore(Band(2), run).status()));
  // From a callback, in the middle of a piece that would take long.
  RunOptions later;
  int calls = 0;
  later.progress = [&](const Progress&) {
    ++calls;
    later.cancel.Cancel();
  };
  EXPECT_TRUE(absl::IsCancelled(RenderScore(Band(60), later, false).status()));
  EXPECT_EQ(calls, 1);
}

TEST(RenderTest, PrintsItsSpeed) {
  const Score score = Band(8);
  const auto started = std::chrono::steady_clock::now();
  const absl::StatusOr<Rendered> rendered = RenderScore(score);
  const auto rendered_at = std::chrono::steady_clock::now();
  ASSERT_TRUE(rendered.ok());
  ASSERT_TRUE(MasterMix(rendered->mix, score.mastering).ok());
  const auto mastered_at = std::chrono::steady_clock::now();
  const double render_s = std::chrono::duration<double>(rendered_at - started).count();
  const double master_s = std::chrono::duration<double>(mastered_at - rendered_at).count();
  std::printf("seven parts: rendered %.0f times, with mastering %.0f times faster than real time\n", 8 / render_s,
              8 / (render_s + master_s));
}

}  // namespace
}  // namespace grym
