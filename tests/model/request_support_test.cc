#include "model/request_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grymsynth/error.h"
#include "grymsynth/model.h"

namespace grym {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelInfo SomeModel() {
  ModelInfo info;
  info.id = "tiny";
  info.request_fields = {"tempo_bpm", "key"};
  info.params = {{"swing", ParamType::kFloat, "", 0, 1, {}, "0.5", "how much the off-beats lag"},
                 {"voices", ParamType::kInt, "", 1, 8, {}, "4", ""},
                 {"free", ParamType::kInt, "", 0, 0, {}, "0", "unbounded"},
                 {"dither", ParamType::kBool, "", 0, 0, {}, "true", ""},
                 {"kit", ParamType::kChoice, "", 0, 0, {"acoustic", "electronic"}, "acoustic", ""},
                 {"label", ParamType::kString, "", 0, 0, {}, "", ""}};
  return info;
}

TEST(RequestSupportTest, AFreshRequestAsksForNothing) { EXPECT_THAT(SetRequestFields({}), IsEmpty()); }

TEST(RequestSupportTest, EveryFieldIsSeenWhenSet) {
  GenerateAudioRequest request;
  request.negative_prompt = "x";
  request.temperature = 1;
  request.top_k = 1;
  request.top_p = 1;
  request.guidance = 1;
  request.steps = 1;
  request.tempo_bpm = 100;
  request.key = "C major";
  request.meter = 4;
  request.structure = "AB";
  request.instruments = {"piano"};
  request.mood = "calm";
  request.reference_buffer.emplace();
  request.reference_midi = "a.mid";
  request.reference_strength = 0.75;
  request.want_stems = true;
  request.takes = 2;
  request.rank_by = "ears";
  request.quality = QualityTier::kBest;
  request.enhancement_level = 1;
  request.preserve_original_characteristics = false;
  request.focus_areas = {"noise"};
  request.target_lufs = -14;
  request.patterns.resize(1);
  EXPECT_EQ(SetRequestFields(request), RequestFieldNames());
}

TEST(RequestSupportTest, UnsupportedFieldsAreErrorsNamingFieldAndModel) {
  GenerateAudioRequest request;
  request.tempo_bpm = 120;
  request.mood = "dark";
  request.steps = 5;
  const absl::Status status = CheckRequestForModel(SomeModel(), request, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(status), "unsupported_field");
  EXPECT_EQ(ErrorProblems(status).size(), 2u);
  EXPECT_THAT(std::string(status.message()),
              ::testing::AllOf(HasSubstr("tiny"), HasSubstr("mood"), HasSubstr("steps")));
}

TEST(RequestSupportTest, AllowedUnsupportedFieldsBecomeWarnings) {
  GenerateAudioRequest request;
  request.mood = "dark";
  request.parameters["swng"] = "0.1";
  request.allow_unsupported = true;
  std::vector<std::string> warnings;
  EXPECT_TRUE(CheckRequestForModel(SomeModel(), request, &warnings).ok());
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("mood"), HasSubstr("swng")));
  request.parameters["voices"] = "99";  // known, and wrong: no permission covers that
  EXPECT_EQ(ErrorCode(CheckRequestForModel(SomeModel(), request, nullptr)), "bad_parameter");
}

TEST(RequestSupportTest, ParametersAreCheckedByTypeRangeAndChoice) {
  const auto code = [](const std::string& name, const std::string& value) {
    GenerateAudioRequest request;
    request.parameters[name] = value;
    const absl::Status status = CheckRequestForModel(SomeModel(), request, nullptr);
    return ErrorCode(status);
  };
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"swing", "0"},
                                                                                    {"swing", "1"},
                                                                                    {"swing", "5e-1"},
                                                                                    {"voices", "8"},
                                                                                    {"free", "-123456"},
                                                                                    {"dither", "false"},
                                                                                    {"kit", "electronic"},
                                                                                    {"label", ""}}) {
    EXPECT_EQ(code(name, value), "ok") << name << "=" << value;
  }
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"swing", "1.1"},
                                                                                    {"swing", "nan"},
                                                                                    {"swing", ""},
                                                                                    {"swing", "0.5x"},
                                                                                    {"voices", "0"},
                                                                                    {"voices", "2.0"},
                                                                                    {"dither", "yes"},
                                                                                    {"kit", "Acoustic"},
                                                                                    {"free", "x"}}) {
    EXPECT_EQ(code(name, value), "bad_parameter") << name << "=" << value;
  }
  EXPECT_EQ(code("unknown", "1"), "unsupported_field");
}

}  // namespace
}  // namespace grym
