#include "grymsynth/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grym {
namespace {

using ::testing::HasSubstr;

ModelInfo Named(const char* id) {
  ModelInfo info;
  info.id = id;
  return info;
}

TEST(ModelTest, CapabilitiesHaveNamesAndWhatAModelCannotDoIsSaid) {
  EXPECT_EQ(CapabilityName(Capability::kGenerate), "generate");
  EXPECT_EQ(CapabilityName(Capability::kCompare), "compare");
  class Mute : public Model {
   public:
    const ModelInfo& info() const override { return info_; }
    ResourceNeed Need(const GenerateAudioRequest&) const override { return {}; }
    ModelInfo info_ = Named("tiny");
  };
  EXPECT_EQ(Mute().NewGenerator().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(Mute().NewEmbedder().status().message()), HasSubstr("tiny"));
  EXPECT_EQ(Mute().NewAnalyzer().status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace grym
