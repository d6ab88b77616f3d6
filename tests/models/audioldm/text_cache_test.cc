#include "models/audioldm/text_cache.h"

#include <gtest/gtest.h>

#include "tiny_audioldm.h"

namespace grym::testing {
namespace {

TEST(TextEmbeddingCacheTest, ForgetsWhatWasNotWantedForLongest) {
  TextEmbeddingCache cache;
  for (int32_t i = 0; i < static_cast<int32_t>(TextEmbeddingCache::kKept); ++i) cache.Keep({0, i}, {1.0f * i});
  EXPECT_EQ(cache.Find({0, 0}), std::vector<float>{0});  // wanted again
  cache.Keep({7}, {7});
  EXPECT_EQ(cache.Find({0, 0}), std::vector<float>{0});
  EXPECT_EQ(cache.Find({0, 1}), std::nullopt);
  EXPECT_EQ(cache.Find({0, 2}), std::vector<float>{2});
  EXPECT_EQ(cache.Find({7}), std::vector<float>{7});
  EXPECT_EQ(cache.Find({}), std::nullopt);
}

TEST(TextEmbeddingCacheTest, ATextIsEncodedOnceForAModelAndGivesTheSameBytes) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  const std::vector<float> first = Samples(Made(*model, Rain()));
  EXPECT_EQ(model->text_cache().encodes(), 2);  // prompt and negative prompt
  EXPECT_EQ(Samples(Made(*model, Rain())), first);
  EXPECT_EQ(model->text_cache().encodes(), 2);
  GenerateAudioRequest other = Rain();
  other.prompt = "a dog barks";
  const std::vector<float> with_kept = Samples(Made(*model, other));
  EXPECT_EQ(model->text_cache().encodes(), 3);  // the negative prompt was known
  EXPECT_EQ(Samples(Made(*Tiny(), other)), with_kept);
  other.guidance = 1;  // no negative prompt
  ASSERT_TRUE(Made(*model, other).ok());
  EXPECT_EQ(model->text_cache().encodes(), 3);
  // Where the encoder is let go after its phase it is not even read again.
  const int64_t least = SmallestPlan(*model, model->WorkOf(Rain(), 0).value());
  const auto tight = Tiny(least);
  const std::vector<float> small = Samples(Made(*tight, Rain()));
  EXPECT_EQ(Samples(Made(*tight, Rain())), small);
  EXPECT_EQ(tight->text_cache().encodes(), 2);
}

}  // namespace
}  // namespace grym::testing
