#include "model/provenance.h"

#include <gtest/gtest.h>

#include "grymsynth/version.h"

namespace grym {
namespace {

TEST(ProvenanceTest, AResultSaysWhoMadeItAndLeavesTheRequestAlone) {
  ModelInfo info;
  info.id = "maker";
  info.version = "7";
  GenerateAudioRequest request;
  request.seed = 42;
  Provenance provenance;
  provenance.request_json = "{}";
  SignResult(info, request, provenance);
  EXPECT_EQ(provenance.model, "maker");
  EXPECT_EQ(provenance.model_version, "7");
  EXPECT_EQ(provenance.software, SoftwareName());
  EXPECT_EQ(provenance.seed, 42);
  EXPECT_EQ(provenance.request_json, "{}");
}

}  // namespace
}  // namespace grym
