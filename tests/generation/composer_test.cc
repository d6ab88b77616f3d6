#include "generation/composer.h"

#include <cmath>
#include <set>

#include "analysis/enhance/loudness_gain.h"
#include "analysis/true_peak.h"
#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

GenerateAudioRequest Ask(const std::string& prompt, double duration_s = 6, int64_t seed = 1) {
  GenerateAudioRequest request;
  request.prompt = prompt;
  request.duration_s = duration_s;
  request.seed = seed;
  return request;
}

absl::StatusOr<GenerateAudioResult> Make(const GenerateAudioRequest& request, const RunOptions& run = {}) {
  auto generator = MakeComposer()->NewGenerator();
  if (!generator.ok()) return generator.status();
  return (*generator)->Generate(request, run);
}

TEST(ComposerTest, SameRequestAndSeedGiveTheSameBytes) {
  auto a = Make(Ask("calm lo-fi with piano")), b = Make(Ask("calm lo-fi with piano")),
       c = Make(Ask("calm lo-fi with piano", 6, 2));
  ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status() << b.status() << c.status();
  EXPECT_TRUE(std::equal(a->audio.planar().begin(), a->audio.planar().end(), b->audio.planar().begin(),
                         b->audio.planar().end()));
  EXPECT_FALSE(std::equal(a->audio.planar().begin(), a->audio.planar().end(), c->audio.planar().begin(),
                          c->audio.planar().end()));
}

TEST(ComposerTest, TheResolvedRequestOfProvenanceRendersTheSameBytes) {
  for (const char* prompt : {"energetic house", "a sad waltz with flute", ""}) {
    auto first = Make(Ask(prompt, 9, 7));
    ASSERT_TRUE(first.ok()) << first.status();
    auto resolved = RequestFromJson(first->provenance.request_json);
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_TRUE(resolved->tempo_bpm && resolved->key && resolved->meter && !resolved->structure.empty());
    auto again = Make(*resolved);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(std::equal(first->audio.planar().begin(), first->audio.planar().end(), again->audio.planar().begin(),
                           again->audio.planar().end()))
        << prompt;
  }
}

TEST(ComposerTest, StemsSumToTheMix) {
  GenerateAudioRequest request = Ask("synthwave", 8);
  request.want_stems = true;
  auto made = Make(request);
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_GE(made->stems.size(), 3u);
  std::set<std::string> names;
  for (const Stem& stem : made->stems) names.insert(stem.name);
  EXPECT_TRUE(names.contains("drums") && names.contains("bass"));
  double worst = 0;
  for (size_t i = 0; i < made->mix.planar().size(); ++i) {
    double sum = 0;
    for (const Stem& stem : made->stems) sum += stem.audio.planar()[i];
    worst = std::max(worst, std::abs(sum - made->mix.planar()[i]));
  }
  EXPECT_LE(worst, 1e-4);
}

TEST(ComposerTest, EveryDurationFromOneSecondFitsExactlyAndEndsQuietly) {
  for (const double duration_s : {1.0, 1.7, 2.5, 4.0, 11.3}) {
    auto made = Make(Ask("pop", duration_s, 3));
    ASSERT_TRUE(made.ok()) << duration_s << made.status();
    EXPECT_EQ(made->audio.frames(), std::llround(duration_s * 44100));
    EXPECT_EQ(made->audio.channels(), 2);
    double loudest = 0, last = 0;
    const auto left = made->audio.channel(0);
    for (size_t i = 0; i < left.size(); ++i) {
      loudest = std::max<double>(loudest, std::abs(left[i]));
      if (i + 441 > left.size()) last = std::max<double>(last, std::abs(left[i]));
    }
    EXPECT_GT(loudest, 0.1) << duration_s;
    EXPECT_LT(last, 0.01 * loudest) << duration_s;
  }
}

TEST(ComposerTest, MasterKeepsItsLoudnessAndPeak) {
  for (const char* genre : {"metal", "ambient", "jazz"}) {
    auto made = Make(Ask(genre, 12, 5));
    ASSERT_TRUE(made.ok()) << made.status();
    auto lufs = IntegratedLufs(made->audio);
    ASSERT_TRUE(lufs.ok());
    EXPECT_NEAR(*lufs, -16, 2) << genre;
  }
}

TEST(ComposerTest, FieldsItCannotHonourAreAnErrorOrAWarning) {
  GenerateAudioRequest request = Ask("pop", 2);
  request.guidance = 3;
  auto refused = Make(request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(refused.status()), "unsupported_field");
  request.allow_unsupported = true;
  auto made = Make(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->warnings, testing::Contains(testing::HasSubstr("guidance")));

  for (auto set : {+[](GenerateAudioRequest& r) { r.mood = "xyzzy"; },
                   +[](GenerateAudioRequest& r) { r.instruments = {"theremin"}; },
                   +[](GenerateAudioRequest& r) { r.structure = "intro wobble"; }}) {
    GenerateAudioRequest odd = Ask("pop", 2);
    set(odd);
    EXPECT_EQ(ErrorCode(Make(odd).status()), "unsupported_field");
    odd.allow_unsupported = true;
    auto tolerated = Make(odd);
    ASSERT_TRUE(tolerated.ok()) << tolerated.status();
    EXPECT_FALSE(tolerated->warnings.empty());
  }
}

TEST(ComposerTest, FieldsOfTheRequestAreHonoured) {
  GenerateAudioRequest request = Ask("", 20, 4);
  request.tempo_bpm = 97.5;
  request.key = "F# minor";
  request.meter = 3;
  request.structure = "ABAB";
  request.instruments = {"piano", "strings"};
  request.negative_prompt = "drums";
  request.want_stems = true;
  auto made = Make(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->facts["tempo_bpm"], "97.5");
  EXPECT_EQ(made->facts["key"], "F# minor");
  EXPECT_EQ(made->facts["meter"], "3");
  EXPECT_EQ(made->facts["structure"], "A B A B");
  for (const Stem& stem : made->stems) EXPECT_NE(stem.name, "drums");
  ASSERT_TRUE(made->midi.has_value());
  EXPECT_FALSE(made->midi->notes.empty());
}

TEST(ComposerTest, APromptBeyondWhatItReadsIsCutAndItSaysSo) {
  GenerateAudioRequest request;
  request.prompt = "slow house in F minor at 117 bpm ";
  while (request.prompt.size() < 100'000) request.prompt += "w\xC3\xB6rter ";
  request.prompt += "fast techno";
  request.duration_s = 2;
  request.seed = 3;
  const auto made = MakeComposer()->NewGenerator().value()->Generate(request, {});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->warnings.size(), 1u);
  EXPECT_TRUE(made->warnings[0].starts_with("composer: prompt: cut to 163")) << made->warnings[0];
  EXPECT_EQ(made->facts.at("genre"), "house");
  EXPECT_EQ(made->facts.at("tempo_bpm"), "117");
  request.prompt = "house";
  request.negative_prompt.assign(size_t{1} << 20, 'n');
  const auto negative = MakeComposer()->NewGenerator().value()->Generate(request, {});
  ASSERT_TRUE(negative.ok()) << negative.status();
  EXPECT_EQ(negative->warnings[0], "composer: negative_prompt: cut to 16384 bytes, 1032192 were dropped");
}

TEST(ComposerTest, AMomentsPieceHasSoundAndNoOffset) {
  for (const double duration_s : {0.001, 0.003, 0.01, 0.03, 0.1, 0.3}) {
    for (const char* prompt : {"", "house", "ambient", "string quartet"}) {
      const auto made = Make(Ask(prompt, duration_s, 3));
      ASSERT_TRUE(made.ok()) << duration_s << " s: " << made.status();
      EXPECT_EQ(made->audio.frames(), std::llround(duration_s * 44100));
      double squares = 0;
      for (int c = 0; c < 2; ++c) {
        double sum = 0;
        for (const float x : made->audio.channel(c)) sum += x, squares += static_cast<double>(x) * x;
        EXPECT_LT(std::abs(sum / static_cast<double>(made->audio.frames())), 0.01)
            << prompt << " of " << duration_s << " s";
      }
      EXPECT_GT(10 * std::log10(squares / static_cast<double>(made->audio.planar().size())), -60)
          << prompt << " of " << duration_s << " s";
    }
  }
  const absl::Status told = Make(Ask("pop", 0.0009)).status();
  EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(told.message().find("0.001 seconds or more"), absl::string_view::npos) << told;
}

TEST(ComposerTest, ACancelledCallAnswersCancelled) {
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(Make(Ask("pop", 30), run).status().code(), absl::StatusCode::kCancelled);
  RunOptions later;
  later.progress = [&](const Progress&) { later.cancel.Cancel(); };
  EXPECT_EQ(Make(Ask("pop", 60), later).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym
