#include "generation/form.h"

#include "gtest/gtest.h"

namespace grym {
namespace {

TEST(FormTest, SectionsFillEveryNumberOfBarsExactly) {
  for (const Genre* genre : AllGenres()) {
    for (int bars = 1; bars <= 420; bars += bars < 40 ? 1 : 37) {
      Random random(static_cast<uint64_t>(bars));
      const std::vector<std::string> names = ChooseForm(*genre, bars, random);
      ASSERT_FALSE(names.empty());
      ASSERT_LE(static_cast<int>(names.size()), bars);
      int at = 0;
      for (const FormSection& section : LayOutForm(names, bars, genre->phrase_bars, 0)) {
        EXPECT_EQ(section.first_bar, at);
        EXPECT_GE(section.bars, 1) << genre->name << " " << bars;
        at += section.bars;
      }
      EXPECT_EQ(at, bars) << genre->name;
    }
  }
}

TEST(FormTest, ReadsLettersAndNames) {
  EXPECT_EQ(ReadStructure("ABAB")->size(), 4u);
  EXPECT_EQ(ReadStructure("intro, Verse 1, chorus")->size(), 3u);
  EXPECT_FALSE(ReadStructure("intro wobble").ok());
  const auto form = LayOutForm({"A", "B", "A"}, 12, 4, 0);
  EXPECT_EQ(form[0].letter, form[2].letter);
  EXPECT_EQ(form[2].visit, 1);
}

}  // namespace
}  // namespace grym
