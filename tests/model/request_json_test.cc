#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"
#include "grymsynth/error.h"
#include "grymsynth/generation.h"

namespace grym {
namespace {

std::string RandomText(Random& random) {
  static constexpr const char* kPieces[] = {
      "a", "\"", "\\", "\n", "\t", "\x01", "/", "~", "\xC3\xA9", "\xF0\x9F\x8E\xB5", " "};
  std::string text;
  for (int64_t i = random.Below(12); i > 0; --i) text += kPieces[random.Below(std::size(kPieces))];
  return text;
}

GenerateAudioRequest RandomRequest(Random& random) {
  GenerateAudioRequest request;
  const auto maybe = [&] { return random.Chance(0.5); };
  request.prompt = RandomText(random);
  request.negative_prompt = RandomText(random);
  request.duration_s = random.Uniform(0.001, 600);
  request.seed = maybe() ? -1 : static_cast<int64_t>(random.Next() >> 1);
  if (maybe()) request.model = "composer";
  if (maybe()) request.temperature = random.Uniform(0, 10);
  if (maybe()) request.top_k = static_cast<int>(1 + random.Below(1000));
  if (maybe()) request.top_p = random.Uniform(0.001, 1);
  if (maybe()) request.guidance = random.Uniform(-100, 100);
  if (maybe()) request.steps = static_cast<int>(1 + random.Below(1000));
  if (maybe()) request.tempo_bpm = random.Uniform(30, 300);
  if (maybe()) request.key = "Bb minor";
  if (maybe()) request.meter = maybe() ? 3 : 4;
  request.structure = RandomText(random);
  for (int64_t i = random.Below(3); i > 0; --i) request.instruments.push_back(RandomText(random));
  request.mood = RandomText(random);
  request.reference_audio = maybe() ? "in.wav" : "";
  request.reference_midi = maybe() ? "in.mid" : "";
  request.reference_strength = random.Uniform();
  request.want_stems = maybe();
  request.quality = static_cast<QualityTier>(random.Below(3));
  request.allow_unsupported = maybe();
  request.enhancement_level = random.Uniform();
  request.preserve_original_characteristics = maybe();
  if (maybe()) request.focus_areas = {"tempo", "stereo"};
  if (maybe()) request.target_lufs = random.Uniform(-70, 0);
  if (maybe()) {
    request.patterns.resize(1);
    for (float& value : request.patterns[0].embedding) value = static_cast<float>(random.Normal());
    request.patterns[0].spans = {{0, random.Uniform()}};
  }
  if (maybe()) request.parameters["swing"] = RandomText(random);
  return request;
}

void ExpectSame(const GenerateAudioRequest& a, const GenerateAudioRequest& b) {
  EXPECT_EQ(a.prompt, b.prompt);
  EXPECT_EQ(a.negative_prompt, b.negative_prompt);
  EXPECT_EQ(a.duration_s, b.duration_s);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.temperature, b.temperature);
  EXPECT_EQ(a.top_k, b.top_k);
  EXPECT_EQ(a.top_p, b.top_p);
  EXPECT_EQ(a.guidance, b.guidance);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.tempo_bpm, b.tempo_bpm);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.meter, b.meter);
  EXPECT_EQ(a.structure, b.structure);
  EXPECT_EQ(a.instruments, b.instruments);
  EXPECT_EQ(a.mood, b.mood);
  EXPECT_EQ(a.reference_audio, b.reference_audio);
  EXPECT_EQ(a.reference_midi, b.reference_midi);
  EXPECT_EQ(a.reference_strength, b.reference_strength);
  EXPECT_EQ(a.want_stems, b.want_stems);
  EXPECT_EQ(a.quality, b.quality);
  EXPECT_EQ(a.allow_unsupported, b.allow_unsupported);
  EXPECT_EQ(a.enhancement_level, b.enhancement_level);
  EXPECT_EQ(a.preserve_original_characteristics, b.preserve_original_characteristics);
  EXPECT_EQ(a.focus_areas, b.focus_areas);
  EXPECT_EQ(a.target_lufs, b.target_lufs);
  ASSERT_EQ(a.patterns.size(), b.patterns.size());
  for (size_t i = 0; i < a.patterns.size(); ++i) EXPECT_EQ(a.patterns[i].embedding, b.patterns[i].embedding);
  EXPECT_EQ(a.parameters, b.parameters);
}

TEST(RequestJsonTest, RandomRequestsComeBackFieldByField) {
  Random random(11);
  for (int round = 0; round < 500; ++round) {
    const GenerateAudioRequest request = RandomRequest(random);
    const std::string text = RequestToJson(request);
    const auto back = RequestFromJson(text);
    ASSERT_TRUE(back.ok()) << back.status() << "\n" << text;
    ExpectSame(request, *back);
    EXPECT_EQ(RequestToJson(*back), text);
  }
}

TEST(RequestJsonTest, AnEmptyObjectIsAFreshRequest) {
  const auto request = RequestFromJson("{}");
  ASSERT_TRUE(request.ok()) << request.status();
  ExpectSame(*request, GenerateAudioRequest());
}

TEST(RequestJsonTest, NullsLeaveOptionalFieldsUnset) {
  const auto request = RequestFromJson(R"({"tempoBpm":null,"key":null})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->tempo_bpm.has_value());
}

TEST(RequestJsonTest, AllProblemsAtOnceWithHints) {
  const auto request = RequestFromJson(
      R"({"promt":"x","durationSeconds":700,"seed":1.5,"quality":"bets","steps":0,"focusAreas":["nois"],"patterns":[{}],"wantStems":"yes"})");
  ASSERT_FALSE(request.ok());
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(request.status()), "invalid_request");
  std::map<std::string, std::string> hints;
  for (const Problem& problem : ErrorProblems(request.status())) hints[problem.pointer] = problem.hint;
  EXPECT_THAT(hints, ::testing::IsSupersetOf(std::map<std::string, std::string>{{"/promt", "prompt"},
                                                                                {"/durationSeconds", ""},
                                                                                {"/seed", ""},
                                                                                {"/quality", "best"},
                                                                                {"/steps", ""},
                                                                                {"/focusAreas/0", "noise"},
                                                                                {"/patterns/0/kind", ""},
                                                                                {"/wantStems", ""}}));
}

TEST(RequestJsonTest, HostileTextIsRefused) {
  for (const char* text :
       {"", "[]", "null", "{", "{\"prompt\":1e999}", "{\"seed\":1,\"seed\":2}", "{} x", "{\"prompt\":\"\xC3\"}"}) {
    EXPECT_FALSE(RequestFromJson(text).ok()) << text;
  }
  EXPECT_FALSE(RequestFromJson(std::string(100000, '[')).ok());
  EXPECT_FALSE(RequestFromJson("{\"prompt\":\"" + std::string(1 << 20, 'x') + "\"}").ok());
  EXPECT_TRUE(RequestFromJson("{" + std::string((1 << 20) - 2, ' ') + "}").ok());
  EXPECT_FALSE(RequestFromJson("{" + std::string((1 << 20) - 1, ' ') + "}").ok());
}

TEST(RequestJsonTest, MutatedTextNeverCrashesAndWhatIsReadRoundTrips) {
  Random random(5);
  const std::string seed_text = RequestToJson(RandomRequest(random));
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed_text;
    for (int64_t i = 1 + random.Below(3); i > 0; --i) {
      text[static_cast<size_t>(random.Below(static_cast<int64_t>(text.size())))] = static_cast<char>(random.Below(256));
    }
    const auto request = RequestFromJson(text);
    if (!request.ok()) continue;
    ++accepted;
    const auto again = RequestFromJson(RequestToJson(*request));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(RequestToJson(*again), RequestToJson(*request));
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace grym
