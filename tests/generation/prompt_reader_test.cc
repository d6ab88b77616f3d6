#include "generation/prompt_reader.h"

#include "gtest/gtest.h"

namespace grym {
namespace {

TEST(PromptReaderTest, ReadsGenreTempoKeyMoodAndInstruments) {
  const PromptWish wish = ReadPrompt("A dark, driving Techno track at 132 bpm in F# minor with strings and a choir");
  ASSERT_FALSE(wish.genres.empty());
  EXPECT_STREQ(wish.genres[0]->name, "techno");
  EXPECT_EQ(wish.tempo_bpm, 132);
  ASSERT_TRUE(wish.key.has_value());
  EXPECT_EQ(wish.key->tonic, 6);
  EXPECT_TRUE(wish.key->minor);
  EXPECT_GT(wish.mood.energy, 0.5);
  EXPECT_LT(wish.mood.valence, -0.5);
  ASSERT_EQ(wish.instruments.size(), 2u);
  EXPECT_STREQ(wish.instruments[0]->patch, "strings");
  EXPECT_STREQ(wish.instruments[1]->patch, "choir");
}

TEST(PromptReaderTest, NegativesAreNotWishes) {
  const PromptWish wish = ReadPrompt("pop with piano but without drums, no guitar");
  ASSERT_EQ(wish.instruments.size(), 1u);
  EXPECT_STREQ(wish.instruments[0]->patch, "piano");
  ASSERT_EQ(wish.without.size(), 2u);
}

TEST(PromptReaderTest, DrumAndBassIsAGenreNotTwoInstruments) {
  const PromptWish wish = ReadPrompt("liquid drum and bass");
  ASSERT_FALSE(wish.genres.empty());
  EXPECT_STREQ(wish.genres[0]->name, "drum and bass");
  EXPECT_TRUE(wish.instruments.empty());
}

TEST(PromptReaderTest, TheHeadOfTheFirstPhraseIsTheGenre) {
  const std::pair<const char*, const char*> kRead[] = {
      {"funky house", "house"},
      {"a funky deep house track", "house"},
      {"funky", "funk"},
      {"house and funk", "house"},
      {"funk, house", "funk"},
      {"ambient techno with a jazz piano", "techno"},
      {"smooth jazz with a funky groove", "jazz"},
      {"80s synth pop", "synthwave"},
      {"lo-fi hip hop for studying", "lo-fi"},
      {"orchestral metal", "metal"},
      {"jazz waltz", "waltz"},
      {"dub techno", "techno"},
      {"a rock ballad", "rock"},
      {"techno groove", "techno"},
      {"heavy metal", "metal"},
      {"rhythm and blues", "blues"},
      {"jazzy house at 124 bpm, not funk", "house"}};
  for (const auto& [prompt, genre] : kRead) {
    const PromptWish wish = ReadPrompt(prompt);
    ASSERT_FALSE(wish.genres.empty()) << prompt;
    EXPECT_STREQ(wish.genres[0]->name, genre) << prompt;
  }
  const PromptWish both = ReadPrompt("funky house");
  ASSERT_EQ(both.genres.size(), 2u);
  EXPECT_STREQ(both.genres[1]->name, "funk");
}

TEST(PromptReaderTest, MetreStructureAndFlats) {
  const PromptWish wish = ReadPrompt("3/4 in B flat major: intro verse chorus verse chorus");
  EXPECT_EQ(wish.meter, 3);
  ASSERT_TRUE(wish.key.has_value());
  EXPECT_EQ(wish.key->tonic, 10);
  EXPECT_EQ(wish.sections.size(), 5u);
}

TEST(PromptReaderTest, OddTextAsksForNothing) {
  for (const char* text :
       {"", "   ", "!!! \xff\xfe 9999 bpm", "a", "minor detail of 12 things", "nan bpm", "inf bpm", "tempo 0x78"}) {
    const PromptWish wish = ReadPrompt(text);
    EXPECT_TRUE(wish.genres.empty() && !wish.tempo_bpm && !wish.key && wish.instruments.empty()) << text;
  }
}

}  // namespace
}  // namespace grym
