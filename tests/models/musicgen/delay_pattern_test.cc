#include "models/musicgen/delay_pattern.h"

#include <gmock/gmock.h>

#include "around_peer.h"

namespace grym {
namespace {

using ::testing::ElementsAre;

TEST(DelayPatternTest, EachBookLiesAStepLater) {
  const DelayPattern pattern{3, 1};
  EXPECT_EQ(pattern.Columns(2), 5);
  EXPECT_THAT(Delayed(pattern, std::vector<int32_t>{1, 2, 3, 4, 5, 6}, 2, 9),
              ElementsAre(9, 1, 2, 9, 9, 9, 9, 3, 4, 9, 9, 9, 9, 5, 6));
}

TEST(DelayPatternTest, LeftAndRightShareADelay) {
  const DelayPattern pattern{4, 2};
  EXPECT_EQ(pattern.Columns(2), 4);
  EXPECT_THAT(Delayed(pattern, std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8}, 2, 9),
              ElementsAre(9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 5, 6, 9, 9, 7, 8));
}

TEST(DelayPatternTest, AFrameIsWholeWithItsLastBook) {
  const DelayPattern pattern{4, 1};
  EXPECT_EQ(pattern.WholeFrames(0, 10), 0);
  EXPECT_EQ(pattern.WholeFrames(4, 10), 0);
  EXPECT_EQ(pattern.WholeFrames(5, 10), 1);
  EXPECT_EQ(pattern.WholeFrames(14, 10), 10);
  EXPECT_EQ(pattern.WholeFrames(99, 10), 10);
}

TEST(DelayPatternTest, ColumnsAreThoseOfTheWhole) {
  const DelayPattern pattern{4, 2};
  std::vector<int32_t> codes(4 * 6);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int32_t>(i);
  const std::vector<int32_t> whole = Delayed(pattern, codes, 6, 99);
  EXPECT_EQ(Undelayed(pattern, whole, 6), codes);
  std::vector<int32_t> some(3 * 4);
  FillColumns(pattern, codes, 6, 99, 2, 3, some.data());
  for (size_t column = 0; column < 3; ++column) {
    for (size_t book = 0; book < 4; ++book) EXPECT_EQ(some[column * 4 + book], whole[book * 8 + column + 2]);
  }
}

// Builds and undoes as transformers does, with a prompt and without, mono and stereo.
TEST(DelayPatternTest, IsTransformers) {
  GRYM_NEED_PEER();
  const testing::AroundPeer peer;
  for (const auto& [books, channels] : {std::pair{4, 1}, std::pair{8, 2}, std::pair{2, 1}}) {
    for (const auto& [frames, prompt] : {std::pair{12, 0}, std::pair{12, 5}, std::pair{7, 7}, std::pair{9, 1}}) {
      const std::string name =
          "delay." + std::to_string(books) + "." + std::to_string(frames) + "." + std::to_string(prompt);
      SCOPED_TRACE(name);
      const DelayPattern pattern{books, channels};
      const std::vector<int32_t> given = peer.Ints(name + ".given");
      std::vector<int32_t> codes(static_cast<size_t>(books * frames), -1);
      for (int b = 0; b < books; ++b) {
        for (int f = 0; f < prompt; ++f)
          codes[static_cast<size_t>(b * frames + f)] = given[static_cast<size_t>(b * prompt + f)];
      }
      EXPECT_EQ(Delayed(pattern, codes, frames, 64), peer.Ints(name + ".mask"));
      EXPECT_EQ(peer.Shape(name + ".first")[1], DelayPattern::KnownColumns(prompt));
      EXPECT_EQ(Undelayed(pattern, peer.Ints(name + ".applied"), frames), peer.Ints(name + ".codes"));
    }
  }
}

}  // namespace
}  // namespace grym
