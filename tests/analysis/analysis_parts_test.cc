#include <gtest/gtest.h>

#include "analysis/analyze.h"
#include "analysis/signals.h"
#include "base/json.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

using namespace testing;
using Part = AnalysisPart;

AudioBuffer Song() {  // strokes at 120 a minute under four chords
  std::vector<float> signal = Clicks(SteadyBeats(120, 0, 16), 16);
  const double roots[] = {261.63, 220.0, 174.61, 196.0};
  for (size_t n = 0; n < signal.size(); ++n) {
    const double t = static_cast<double>(n) / 44100, root = roots[static_cast<size_t>(t / 2) % 4];
    for (const double ratio : {1.0, 1.25, 1.5}) {
      signal[n] += static_cast<float>(0.08 * std::sin(2 * std::numbers::pi * root * ratio * t));
    }
  }
  return Mono(signal);
}

AudioFeatures Heard(const AnalysisParts& parts, int threads = 1) {
  const AudioBuffer song = Song();
  auto source = OpenInput(song);
  return AnalyzeSource(**source, {}, threads, parts).value();
}

TEST(AnalysisPartsTest, APartBringsWhatItRestsOn) {
  EXPECT_TRUE(AnalysisParts().everything());
  EXPECT_FALSE(AnalysisParts::None().has(Part::kLevel));
  const AnalysisParts sections{Part::kSections};
  for (const Part part : {Part::kSections, Part::kRhythm, Part::kOnsets, Part::kKey, Part::kSpectrum}) {
    EXPECT_TRUE(sections.has(part)) << AnalysisPartName(part);
  }
  for (const Part part : {Part::kLevel, Part::kLoudness, Part::kPitch, Part::kChords}) {
    EXPECT_FALSE(sections.has(part)) << AnalysisPartName(part);
  }
  EXPECT_FALSE(sections.everything());
}

TEST(AnalysisPartsTest, NamesGoBothWays) {
  for (int part = 0; part < kAnalysisParts; ++part) {
    EXPECT_EQ(AnalysisPartFromName(AnalysisPartName(static_cast<Part>(part))), static_cast<Part>(part));
  }
  EXPECT_FALSE(AnalysisPartFromName("tempo").has_value());
  EXPECT_FALSE(AnalysisPartFromName("").has_value());
  EXPECT_STREQ(AnalysisPartName(static_cast<Part>(kAnalysisParts)), "");
  AnalysisParts parts = AnalysisParts::None();
  parts.Add(static_cast<Part>(kAnalysisParts));
  parts.Add(static_cast<Part>(40));
  EXPECT_EQ(Json::Parse(FeaturesToJson(Heard(parts)))->at("parts").size(), 0u);
  EXPECT_TRUE(AnalysisPartsFromNames({"key", "level"})->has(Part::kLevel));
  EXPECT_EQ(ErrorCode(AnalysisPartsFromNames({}).status()), "bad_parts");
  const auto strange = AnalysisPartsFromNames({"level", "\x1b[31m"});
  EXPECT_EQ(strange.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(strange.status().message().find('\x1b'), std::string_view::npos);
}

// Each part alone is what it is within the whole, to the last bit, and the rest is at its default.
TEST(AnalysisPartsTest, APartIsTheSameAloneAsWithinTheWhole) {
  const AudioFeatures whole = Heard({});
  ASSERT_GT(whole.tempo_bpm, 0);
  ASSERT_TRUE(whole.key.has_value());
  ASSERT_FALSE(whole.chords.empty());
  ASSERT_FALSE(whole.sections.empty());
  ASSERT_FALSE(whole.pitch.f0_hz.empty());
  ASSERT_FALSE(whole.onsets_s.empty());
  const Json want = Json::Parse(FeaturesToJson(whole, true)).value();
  const Json none = Json::Parse(FeaturesToJson(AudioFeatures(), true)).value();
  const std::pair<Part, std::vector<const char*>> kMembers[] = {
      {Part::kLevel, {"level"}},
      {Part::kLoudness, {"loudness"}},
      {Part::kOnsets, {"onsets_s", "onset_strength"}},
      {Part::kRhythm, {"tempo_bpm", "tempo_confidence", "beats_s", "downbeats_s", "meter", "meter_confidence"}},
      {Part::kPitch, {"pitch"}},
      {Part::kKey, {"key", "key_confidence", "tuning_hz"}},
      {Part::kChords, {"chords"}},
      {Part::kSections, {"sections"}}};
  for (const int threads : {1, 2}) {
    for (const auto& [part, own] : kMembers) {
      const AnalysisParts parts{part};
      const AudioFeatures heard = Heard(parts, threads);
      const Json got = Json::Parse(FeaturesToJson(heard, true)).value();
      for (const auto& [other, members] : kMembers) {
        const Json& like = parts.has(other) ? want : none;
        for (const char* member : members) {
          EXPECT_EQ(got.at(member).Dump(), like.at(member).Dump()) << AnalysisPartName(part) << ": " << member;
        }
      }
      EXPECT_EQ(heard.spectral.mfcc.values.empty(), !parts.has(Part::kSpectrum));
      EXPECT_EQ(heard.spectral.band_energy_db, parts.has(Part::kSpectrum) ? whole.spectral.band_energy_db
                                                                          : AudioFeatures().spectral.band_energy_db);
      EXPECT_EQ(heard.condition.noise_floor_dbfs, parts.has(Part::kSpectrum) ? whole.condition.noise_floor_dbfs
                                                                             : AudioFeatures().condition.noise_floor_dbfs);
      EXPECT_EQ(heard.condition.dc_offset, parts.has(Part::kLevel) ? whole.condition.dc_offset : 0);
      EXPECT_EQ(heard.condition.silence.size(), parts.has(Part::kLevel) ? whole.condition.silence.size() : 0u);
      EXPECT_EQ(heard.condition.hum_db, parts.has(Part::kKey) ? whole.condition.hum_db : 0);
      EXPECT_EQ(got.at("duration_s").number(), want.at("duration_s").number());
      for (int each = 0; each < kAnalysisParts; ++each) {
        EXPECT_EQ(heard.parts.has(static_cast<Part>(each)), parts.has(static_cast<Part>(each)));
      }
    }
  }
  ASSERT_NE(whole.condition.dc_offset, 0);
  const AudioFeatures spectrum = Heard({Part::kSpectrum, Part::kKey});
  EXPECT_EQ(Json::Parse(FeaturesToJson(spectrum, true))->at("spectral").Dump(), want.at("spectral").Dump());
  EXPECT_EQ(spectrum.condition.noise_floor_dbfs, whole.condition.noise_floor_dbfs);
  EXPECT_TRUE(spectrum.onsets_s.empty());
}

TEST(AnalysisPartsTest, TheTextSaysWhatWasHeard) {
  EXPECT_FALSE(Json::Parse(FeaturesToJson(Heard({})))->contains("parts"));
  const std::string text = FeaturesToJson(Heard({Part::kKey, Part::kLevel}));
  EXPECT_EQ(Json::Parse(text)->at("parts").Dump(), R"(["level","key"])");
  const auto back = FeaturesFromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->parts.has(Part::kKey));
  EXPECT_FALSE(back->parts.has(Part::kPitch));
  for (const auto& [bad, pointer] : {std::pair{R"("parts":"key")", "/parts"}, {R"("parts":["key","tempo"])", "/parts/1"},
                                     {R"("parts":[3])", "/parts/0"}}) {
    const auto refused = FeaturesFromJson(std::string(R"({"schema":"grymsynth.features/1",)") + bad + "}");
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(ErrorProblems(refused.status()).at(0).pointer, pointer);
  }
}

}  // namespace
}  // namespace grym
