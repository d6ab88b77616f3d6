// Every stage of CLAP against transformers on the same checkpoint, as peer_run.py keeps them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "clap_peer.h"

namespace grym::testing {
namespace {

void ExpectSameAsPeer(const std::filesystem::path& folder, const std::filesystem::path& run, Precision precision) {
  ASSERT_FALSE(run.empty());
  const auto kept = TensorSet::Open(run);
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto parts = ReadClapParts(folder, precision);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_THAT(parts->unread, ::testing::ElementsAre("logit_scale_a", "logit_scale_t"));
  c10::InferenceMode without_gradients;
  const auto want = [&](const char* name) { return PeerTensor(*kept, name); };

  const at::Tensor sound = want("input.audio").contiguous();
  ClapFeatureExtractor extractor(parts->features);
  const auto features = extractor.Extract({sound.const_data_ptr<float>(), static_cast<size_t>(sound.numel())});
  ASSERT_TRUE(features.ok()) << features.status();
  ExpectSameStage("input_features", FeatureTensor(*features), want("input_features"));

  const auto texts = RealTokens(want("input_ids"), want("attention_mask"));
  const auto hidden = parts->text.Encode(texts);
  ASSERT_TRUE(hidden.ok()) << hidden.status();
  std::vector<at::Tensor> real, firsts;
  int64_t start = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto length = static_cast<int64_t>(texts[i].size());
    real.push_back(want("text.last_hidden_state")[static_cast<int64_t>(i)].narrow(0, 0, length));
    firsts.push_back(hidden->narrow(0, start, 1));
    start += length;
  }
  ExpectSameStage("text.last_hidden_state", *hidden, at::cat(real));
  ExpectSameStage("text.pooled", parts->text.Pool(at::cat(firsts)), want("text.pooled"));
  const auto text = parts->text.Embed(texts);
  ASSERT_TRUE(text.ok()) << text.status();
  ExpectSameStage("text_embeds", UnitRows(*text), want("text_embeds"));

  const auto tokens = parts->audio.Encode(want("input_features"), features->longer);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ExpectSameStage("audio.last_hidden_state", parts->audio.AsReference(*tokens), want("audio.last_hidden_state"));
  ExpectSameStage("audio.pooled", ClapAudioNet::Pool(*tokens), want("audio.pooled"));
  // From our own features to the end.
  const auto audio = parts->audio.Embed(FeatureTensor(*features), features->longer);
  ASSERT_TRUE(audio.ok()) << audio.status();
  ExpectSameStage("audio_embeds", UnitRows(*audio), want("audio_embeds"));
}

TEST(ClapParity, EveryStageOfTheTinyCheckpointIsTheReferences) {
  GRYM_NEED_PEER();
  const std::filesystem::path folder = PeerCheckpoint("clap-tiny");
  ExpectSameAsPeer(folder, PeerRun(folder, "short", {}), Precision::kFloat32);
}

TEST(ClapParity, HoldsForTextsOfManyLengthsAndALongSound) {
  GRYM_NEED_PEER();
  const std::filesystem::path folder = PeerCheckpoint("clap-tiny", "seed-5", {"--seed", "5"});
  ExpectSameAsPeer(folder,
                   PeerRun(folder, "batch", {"--seconds", "10", "--prompt", "", "--prompt", "glass breaks", "--prompt",
                                             "a calm acoustic guitar melody with gentle finger picking at dawn"}),
                   Precision::kFloat32);
}

TEST(ClapParity, ReadsHalfWeights) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float16", "bfloat16"}) {
    const std::filesystem::path folder = PeerCheckpoint("clap-tiny", dtype, {"--dtype", dtype});
    ExpectSameAsPeer(folder, PeerRun(folder, "float32", {"--seconds", "3"}), Precision::kFloat32);
  }
}

// The published size, for who has the time: GRYM_CLAP_FULL names a checkpoint folder, beside which the run is kept.
TEST(ClapParity, HoldsAtFullSize) {
  GRYM_NEED_PEER();
  const char* folder = std::getenv("GRYM_CLAP_FULL");
  if (!folder) GTEST_SKIP() << "needs GRYM_CLAP_FULL, the folder of a full-size CLAP checkpoint";
  ExpectSameAsPeer(folder, PeerRun(folder, "full", {"--seconds", "10"}), Precision::kFloat32);
}

}  // namespace
}  // namespace grym::testing
