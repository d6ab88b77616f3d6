#include "engine/sound_memory.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grymsynth/engine.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

// Hears how loud a sound is, and knows the words "loud" and "soft".
class LoudnessModel : public Model {
 public:
  explicit LoudnessModel(bool reads, const char* version = "1") : reads_(reads) {
    info_.id = reads ? "ear" : "deaf-to-words";
    info_.version = version;
    info_.capabilities = {Capability::kEmbedAudio};
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {10, 10, 1, 0}; }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return std::make_unique<Ear>(reads_); }

 private:
  struct Ear : Embedder {
    explicit Ear(bool with_words) : reads(with_words) {}
    int dims() const override { return 2; }
    absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions&) override {
      EXPECT_GE(audio.duration_s(), 0.99);
      double squares = 0;
      for (const float sample : audio.planar()) squares += double{sample} * sample;
      const double level = std::min(1.0, std::sqrt(squares / static_cast<double>(audio.frames())));
      return std::vector<float>{static_cast<float>(level), static_cast<float>(std::sqrt(1 - level * level))};
    }
    absl::StatusOr<std::vector<float>> EmbedText(std::string_view text, const RunOptions& run) override {
      if (!reads) return Embedder::EmbedText(text, run);
      return text == "loud" ? std::vector<float>{1, 0} : std::vector<float>{0, 1};
    }
    const bool reads;
  };
  const bool reads_;
  ModelInfo info_;
};

class SoundMemoryTest : public ::testing::Test {
 protected:
  SoundMemoryTest() : engine_(*Engine::Create()), sound_(*AudioBuffer::Create(1, 8000, 1000)) {
    for (const bool reads : {true, false}) {
      EXPECT_TRUE(engine_->orchestrator().Register(std::make_shared<LoudnessModel>(reads)).ok());
    }
    for (int64_t i = 0; i < 8000; ++i) sound_.mutable_channel(0)[static_cast<size_t>(i)] = i < 4000 ? 0.01f : 0.9f;
    for (const double start : {0.0, 4.5}) {
      AudioPattern pattern;
      pattern.description = start == 0 ? "the soft one" : "the loud one";
      pattern.spans = {{start, start + (start == 0 ? 3.0 : 0.2)}, {7, 8}};
      pattern.embedding[0] = 1;
      patterns_.patterns.push_back(pattern);
    }
  }
  std::unique_ptr<Engine> engine_;
  AudioBuffer sound_;
  AudioPatterns patterns_;
};

TEST_F(SoundMemoryTest, WordsFindThePatternsThatSoundLikeThem) {
  ASSERT_TRUE(engine_->recognizer().LearnPatterns(patterns_).ok());
  const absl::Status heard = engine_->HearPatterns(patterns_, sound_, "ear");
  ASSERT_TRUE(heard.ok()) << heard;
  EXPECT_EQ(engine_->SearchMemory("loud", "ear")->front().pattern.description, "the loud one");
  EXPECT_EQ(engine_->SearchMemory("soft", "ear")->front().pattern.description, "the soft one");
  EXPECT_EQ(engine_->SearchMemory("soft", "ear", 1)->size(), 1u);
}

TEST_F(SoundMemoryTest, HearsAndSearchesWhileAllCoresAreBusyAndStopsWaitingForMemory) {
  ASSERT_TRUE(engine_->recognizer().LearnPatterns(patterns_).ok());
  const DeviceUse device = engine_->orchestrator().Use().front();
  const auto cores = engine_->orchestrator().BalanceResources({"other", "cpu", 0, device.cores});
  ASSERT_TRUE(cores.ok()) << cores.status();
  const absl::Status heard = engine_->HearPatterns(patterns_, sound_, "ear");
  EXPECT_TRUE(heard.ok()) << heard;
  EXPECT_EQ(engine_->SearchMemory("loud", "ear")->size(), 2u);
  const auto bytes = engine_->orchestrator().BalanceResources({"other", "cpu", device.budget_bytes, 0});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(engine_->HearPatterns(patterns_, sound_, "ear", stopped)));
  EXPECT_TRUE(absl::IsCancelled(engine_->SearchMemory("loud", "ear", 10, stopped).status()));
}

TEST_F(SoundMemoryTest, AnotherVersionOfAModelDoesNotFindWhatTheFirstHeard) {
  ASSERT_TRUE(engine_->recognizer().LearnPatterns(patterns_).ok());
  ASSERT_TRUE(engine_->HearPatterns(patterns_, sound_, "ear").ok());
  ASSERT_TRUE(engine_->CloseModel("ear").ok());
  ASSERT_TRUE(engine_->orchestrator().Register(std::make_shared<LoudnessModel>(true, "1-other")).ok());
  EXPECT_TRUE(engine_->SearchMemory("loud", "ear")->empty());
}

TEST_F(SoundMemoryTest, SaysWhatIsMissing) {
  EXPECT_EQ(ErrorCode(engine_->HearPatterns(patterns_, sound_, "ear")), "not_stored");
  ASSERT_TRUE(engine_->recognizer().LearnPatterns(patterns_).ok());
  EXPECT_TRUE(absl::IsNotFound(engine_->HearPatterns(patterns_, sound_, "nobody")));
  EXPECT_EQ(ErrorCode(engine_->HearPatterns(patterns_, AudioBuffer(), "ear")), "no_frames");
  EXPECT_EQ(ErrorCode(engine_->HearPatterns(patterns_, sound_, "composer")), "not_an_embedder");
  EXPECT_EQ(ErrorCode(engine_->SearchMemory("loud", "deaf-to-words").status()), "no_text");
  EXPECT_TRUE(engine_->SearchMemory("loud", "ear")->empty());
  EXPECT_TRUE(engine_->Close().ok());
  EXPECT_EQ(ErrorCode(engine_->SearchMemory("loud", "ear").status()), "engine_closed");
}

}  // namespace
}  // namespace grym
