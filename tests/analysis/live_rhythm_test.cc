// Onsets and beats as they come, over recordings of known truth and beside what the whole recording tells. Prints a
// table.
#include <gtest/gtest.h>

#include <cstdio>

#include "analysis/free_time.h"
#include "analysis/live_beats.h"
#include "analysis/live_onsets.h"
#include "analysis/rhythm.h"
#include "analysis/scoring.h"
#include "analysis/signals.h"
#include "analysis/spectral_stream.h"
#include "base/fs.h"
#include "base/json.h"
#include "dsp/polyphase.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

using testing::FMeasure;
using testing::MatchEvents;

constexpr double kSettling_s = 5;

struct LiveEar : OnsetListener {
  LiveOnsets onsets;
  LiveBeats beats;
  std::vector<double> onsets_s, beats_s, whole_onsets_s;
  void HearAttack(float attack_rms, float level_rms) override { onsets.HearAttack(attack_rms, level_rms); }
  void HearFlux(float whole, float bass) override {
    if (const auto onset = onsets.HearFlux(whole)) {
      onsets_s.push_back(*onset);
      beats.HearOnset(*onset);
    }
    if (const auto beat = beats.HearFlux(whole, bass)) beats_s.push_back(*beat);
  }
};

std::unique_ptr<LiveEar> HearLive(const AudioBuffer& audio) {
  auto heard = std::make_unique<LiveEar>();
  SpectralStream stream(RealFftBatch::kFrames, heard.get());
  PolyphaseResampler resampler(audio.rate_hz(), kAnalysisRateHz);
  const AudioBuffer mono = audio.ToMono();
  std::vector<float> out;
  for (int64_t at = 0; at < mono.frames(); at += 512) {
    const AudioBuffer block = mono.Slice(at, 512);
    out.clear();
    resampler.Push(block.channel(0), out);
    stream.Push(out);
  }
  heard->whole_onsets_s = PickOnsets(stream.onsets());
  return heard;
}

std::vector<double> After(std::vector<double> times, double from_s) {
  std::erase_if(times, [&](double t) { return t < from_s; });
  return times;
}

std::vector<double> TimesOf(const Json& array) {
  std::vector<double> values;
  for (const Json& item : array.items()) values.push_back(item.number());
  return values;
}

TEST(LiveRhythmTest, RecordingsOfKnownTruth) {
  GRYM_NEED_SHARED_AUDIO();
  JsonLimits limits;
  limits.bytes = size_t{16} << 20;
  const std::string text = ReadFile(testing::SharedAudio("manifest.json"), int64_t{16} << 20).value();
  const Json manifest = Json::Parse(text, limits).value();
  double beats_f = 0, onsets_f = 0, alike = 0;
  int pieces_with_beats = 0, pieces_with_onsets = 0, pieces = 0;
  for (const Json& file : manifest.at("files").items()) {
    if (file.at("kind").text() == "decode" || file.at("kind").text() == "conformance") continue;
    const Json& truth = file.at("truth");
    const std::string name(file.at("file").text());
    AudioBuffer audio = LoadAudio(testing::SharedAudio(name)).value();
    std::vector<double> beats = TimesOf(truth.at("beat_times"));
    const std::vector<double> onsets = TimesOf(truth.at("onset_times"));
    if (truth.at("tile_for_tempo").boolean()) {
      const AudioBuffer loop = audio;
      const std::vector<double> once = beats;
      while (audio.duration_s() < 20) {
        for (const double t : once) beats.push_back(t + audio.duration_s());
        ASSERT_TRUE(audio.Append(loop).ok());
      }
    }
    if (audio.duration_s() < 2 * kSettling_s) continue;
    const auto heard = HearLive(audio.Slice(0, int64_t{40} * audio.rate_hz()));
    std::printf("%-34.34s", name.substr(name.rfind('/') + 1).c_str());
    if (heard->whole_onsets_s.size() > 4) {
      const FMeasure same = MatchEvents(heard->whole_onsets_s, heard->onsets_s, 0.05);
      std::printf(" as the whole %.2f", same.f);
      alike += same.f;
      ++pieces;
    }
    if (!onsets.empty()) {
      const FMeasure m = MatchEvents(onsets, heard->onsets_s, 0.05);
      std::printf(" onsets %.2f", m.f);
      onsets_f += m.f;
      ++pieces_with_onsets;
    }
    if (!beats.empty()) {
      const FMeasure m = MatchEvents(After(beats, kSettling_s), After(heard->beats_s, kSettling_s), 0.07);
      std::printf(" beats %.2f (p %.2f r %.2f, %+.0f ms) from %.1f s", m.f, m.precision, m.recall,
                  1000 * m.mean_offset_s, heard->beats_s.empty() ? -1 : heard->beats_s[0]);
      beats_f += m.f;
      ++pieces_with_beats;
    }
    std::printf("\n");
  }
  beats_f /= pieces_with_beats;
  onsets_f /= pieces_with_onsets;
  alike /= pieces;
  std::printf("live beats F %.3f (%d), live onsets F %.3f (%d), beside those of the whole F %.3f (%d)\n", beats_f,
              pieces_with_beats, onsets_f, pieces_with_onsets, alike, pieces);
  // Above what the best peer without trained weights reaches with the whole recording before it (0.72).
  EXPECT_GE(beats_f, 0.8);
  EXPECT_GE(onsets_f, 0.97);
  EXPECT_GE(alike, 0.93);
}

TEST(LiveRhythmTest, HearsTheVeryFirstOnset) {
  const auto heard = HearLive(testing::Mono(testing::Clicks({0.0, 0.5, 1.0}, 2)));
  ASSERT_EQ(heard->onsets_s.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(heard->onsets_s[i], 0.5 * static_cast<double>(i), 0.01);
}

TEST(LiveRhythmTest, NoBeatsWhereThereAreNone) {
  Random random(7, "free time");
  std::vector<double> strokes;
  for (double t = 0.2; t < 19; t += 0.15 - 0.6 * std::log(1 - random.Uniform(0, 1))) strokes.push_back(t);
  for (const AudioBuffer& audio :
       {testing::Mono(std::vector<float>(10 * 44100)), testing::Mono(testing::WhiteNoise(20, 0.3)),
        testing::Mono(testing::Clicks(strokes, 20)), testing::Mono(testing::Tone(440, 10))}) {
    const auto heard = HearLive(audio);
    EXPECT_EQ(heard->beats_s.size(), 0u) << audio.duration_s();
    EXPECT_EQ(heard->beats.tempo_bpm(), 0);
  }
}

// As RhythmTest's of the whole recording: neither what swells nor what comes at random is a beat.
TEST(LiveRhythmTest, FreeTimeHasNoBeats) {
  const auto beats_of = [](const std::vector<float>& samples) {
    return HearLive(testing::Mono(samples))->beats_s.size();
  };
  for (const double vibrato_hz : {4.6, 5.5, 6.3}) {
    for (const double cents : {30.0, 75.0})
      EXPECT_EQ(beats_of(testing::VibratoTone(vibrato_hz, cents)), 0u) << vibrato_hz << " Hz, " << cents << " cents";
  }
  for (const double bursts_per_s : {8.0, 40.0, 120.0}) EXPECT_EQ(beats_of(testing::Bursts(bursts_per_s)), 0u);
  size_t invented = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const size_t beats = beats_of(testing::NotesInFreeTime(seed));
    std::printf("free time %d: %d beats\n", static_cast<int>(seed), static_cast<int>(beats));
    invented += beats;
  }
  EXPECT_LE(invented, 12u);  // gaps are even by chance now and then
}

TEST(LiveRhythmTest, FollowsAChangeOfTempoWithinSeconds) {
  std::vector<double> beats = testing::SteadyBeats(100, 0.5, 12.2);
  for (double t = beats.back() + 0.45; t < 29.8; t += 60.0 / 135) beats.push_back(t);
  const auto heard = HearLive(testing::Mono(testing::Clicks(beats, 30)));
  EXPECT_NEAR(heard->beats.tempo_bpm(), 135, 1.5);
  EXPECT_GT(MatchEvents(After(beats, 22), After(heard->beats_s, 22), 0.07).f, 0.9);
}

}  // namespace
}  // namespace grym
