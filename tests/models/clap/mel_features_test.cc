// The feature extractor and the fused layout against transformers, through make_fused.py.
#include "models/clap/mel_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "clap_peer.h"
#include "grymsynth/error.h"

namespace grym::testing {
namespace {

using ::testing::ElementsAre;

// "" when it could not be made.
std::filesystem::path FusedFolder() {
  static const std::filesystem::path folder = [] {
    const std::filesystem::path made = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "clap-fused";
    if (std::filesystem::exists(made / "reference.safetensors")) return made;
    std::filesystem::path part = made;
    part += ".part";
    std::filesystem::remove_all(part);
    std::filesystem::create_directories(made.parent_path());
    const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/clap/make_fused.py";
    const std::string command = "'" + PeerPython() + "' '" + script + "' '" + part.string() + "' 2>'" + made.string() +
                                ".log' >&2";
    if (std::system(command.c_str()) != 0) return std::filesystem::path();
    std::filesystem::remove_all(made);
    std::filesystem::rename(part, made);
    return made;
  }();
  return folder;
}

std::span<const float> Samples(const at::Tensor& sound) {
  return {sound.const_data_ptr<float>(), static_cast<size_t>(sound.numel())};
}

class ClapFused : public ::testing::Test {
 protected:
  void SetUp() override {
    GRYM_NEED_PEER();
    ASSERT_FALSE(FusedFolder().empty()) << "make_fused.py failed: see peer/clap-fused.log";
    auto kept = TensorSet::Open(FusedFolder() / "reference.safetensors");
    ASSERT_TRUE(kept.ok()) << kept.status();
    kept_.emplace(std::move(*kept));
  }
  at::Tensor Want(const std::string& name) const { return PeerTensor(*kept_, name); }
  at::Tensor Ours(const ClapFeatureConfig& config, const at::Tensor& sound) const {
    const auto features = ClapFeatureExtractor(config).Extract(Samples(sound));
    EXPECT_TRUE(features.ok()) << features.status();
    return features.ok() ? FeatureTensor(*features) : at::Tensor();
  }
  std::optional<TensorSet> kept_;
};

TEST_F(ClapFused, FeaturesAndTowerAreTheReferences) {
  const auto parts = ReadClapParts(FusedFolder(), Precision::kFloat32);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_TRUE(parts->config.audio.enable_fusion);
  c10::InferenceMode without_gradients;
  ClapFeatureExtractor extractor(parts->features);
  for (const std::string name : {"short", "whole", "corner", "long"}) {
    SCOPED_TRACE(name);
    const at::Tensor sound = Want(name + ".sound");
    const auto features = extractor.Extract(Samples(sound));
    ASSERT_TRUE(features.ok()) << features.status();
    EXPECT_EQ(features->longer, Want(name + ".is_longer").item<bool>());
    ExpectSameStage("features", FeatureTensor(*features), Want(name + ".features"));
    const auto tokens = parts->audio.Encode(Want(name + ".features"), true);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    ExpectSameStage("last_hidden_state", parts->audio.AsReference(*tokens), Want(name + ".last_hidden_state"));
    const auto embedding = parts->audio.Embed(FeatureTensor(*features), true);
    ASSERT_TRUE(embedding.ok()) << embedding.status();
    ExpectSameStage("embedding", UnitRows(*embedding), Want(name + ".embedding"));
    const auto unfused = parts->audio.Encode(Want(name + ".features"), false);
    ASSERT_TRUE(unfused.ok()) << unfused.status();
    ExpectSameStage("not longer", ClapAudioNet::Pool(*unfused), Want(name + ".not_longer.pooled"));
  }
}

TEST_F(ClapFused, PaddingModesAndTheMiddleCropAreTheReferences) {
  ClapFeatureConfig config;
  config.low_hz = 50;
  config.truncation = ClapTruncation::kRandTrunc;
  const at::Tensor sound = Want("short.sound");
  config.padding = ClapPadding::kRepeat;
  ExpectSameStage("repeat", Ours(config, sound), Want("unfused.repeat"));
  config.padding = ClapPadding::kPad;
  ExpectSameStage("pad", Ours(config, sound), Want("unfused.pad"));
  config.padding = ClapPadding::kRepeatPad;
  ExpectSameStage("repeatpad", Ours(config, sound), Want("unfused.repeatpad"));
  ExpectSameStage("long", Ours(config, Want("long.sound")), Want("unfused.long"));
}

// The worst case of a transform in float32: between the lines of a full-scale tone the reference, in double, is at the
// floor, 145 dB below the tone, where our rounding is. Slaney's narrow norm keeps it below; HTK's bands sum up to twenty
// bins, so that bands near the floor, and they alone, may be 1 dB off (0.5 were measured).
TEST_F(ClapFused, APureToneIsTheReferences) {
  ClapFeatureConfig config;
  config.low_hz = 50;
  const Distance distance = DistanceOf(Ours(config, Want("tone.sound")), Want("tone.features"));
  EXPECT_GE(distance.cosine, 0.99999);
  EXPECT_LE(distance.max_relative_error, 1e-2);
  config.truncation = ClapTruncation::kRandTrunc;
  ExpectSameStage("slaney", Ours(config, Want("tone.sound")), Want("tone.unfused"));
}

TEST(ClapFeatures, SilenceIsTheFloorAndNothingIsAnError) {
  ClapFeatureExtractor extractor({});
  const auto silence = extractor.Extract(std::vector<float>(1000));
  ASSERT_TRUE(silence.ok()) << silence.status();
  EXPECT_EQ(silence->values.size(), 4u * 1001 * 64);
  EXPECT_THAT(silence->values, ::testing::Each(::testing::FloatNear(-100, 1e-4f)));
  EXPECT_EQ(ErrorCode(extractor.Extract({}).status()), "no_frames");
}

TEST(ClapFeatures, OneSampleFillsAWindow) {
  ClapFeatureConfig config;
  config.truncation = ClapTruncation::kRandTrunc;
  for (const ClapPadding padding : {ClapPadding::kRepeatPad, ClapPadding::kRepeat, ClapPadding::kPad}) {
    config.padding = padding;
    const auto features = ClapFeatureExtractor(config).Extract(std::vector<float>{0.5f});
    ASSERT_TRUE(features.ok()) << features.status();
    EXPECT_EQ(features->values.size(), 1001u * 64);
  }
}

TEST(ClapFeatures, WindowsCoverARecordingWithoutPadding) {
  ClapFeatureExtractor extractor({});
  EXPECT_THAT(extractor.WindowStarts(1), ElementsAre(0));
  EXPECT_THAT(extractor.WindowStarts(480000), ElementsAre(0));
  EXPECT_THAT(extractor.WindowStarts(480001), ElementsAre(0, 1));
  EXPECT_THAT(extractor.WindowStarts(1200000), ElementsAre(0, 360000, 720000));
}

}  // namespace
}  // namespace grym::testing
