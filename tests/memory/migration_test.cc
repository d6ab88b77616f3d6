// Pattern memories of every published version open whole.
#include <gtest/gtest.h>

#include "base/fs.h"
#include "grymsynth/pattern_memory.h"
#include "memory/kept_patterns.h"
#include "store/database.h"
#include "support/scratch.h"

namespace grym {
namespace {

void ExpectKept(const AudioPattern& got, const AudioPattern& want) {
  EXPECT_EQ(got.kind, want.kind);
  EXPECT_EQ(got.description, want.description);
  ASSERT_EQ(got.spans.size(), want.spans.size());
  for (size_t i = 0; i < got.spans.size(); ++i) {
    EXPECT_EQ(got.spans[i].start_s, want.spans[i].start_s);
    EXPECT_EQ(got.spans[i].end_s, want.spans[i].end_s);
  }
  EXPECT_EQ(got.strength, want.strength);
  ASSERT_EQ(got.evidence.size(), 1u);
  EXPECT_EQ(got.evidence[0].name, want.evidence[0].name);
  EXPECT_EQ(got.evidence[0].value, want.evidence[0].value);
  EXPECT_EQ(got.evidence[0].text, want.evidence[0].text);
  EXPECT_EQ(got.embedding, want.embedding);
  EXPECT_EQ(got.tempo_bpm, want.tempo_bpm);
  EXPECT_EQ(got.meter, want.meter);
  EXPECT_EQ(got.key, want.key);
  EXPECT_EQ(got.section_label, want.section_label);
  EXPECT_EQ(got.source, want.source);
  EXPECT_EQ(got.chords, want.chords);
  EXPECT_EQ(got.chord_beats, want.chord_beats);
  EXPECT_EQ(got.intervals, want.intervals);
  EXPECT_EQ(got.durations_beats, want.durations_beats);
  EXPECT_EQ(got.transpositions, want.transpositions);
  EXPECT_EQ(got.onset_grid, want.onset_grid);
}

TEST(MigrationTest, AMemoryOfTheFirstVersionOpensWholeAndTakesWhatIsNew) {
  testing::Scratch scratch;
  const std::filesystem::path path = scratch / "patterns.db";
  std::filesystem::copy_file(std::filesystem::path(GRYM_SOURCE_DIR) / "tests/data/v1/patterns.db", path);
  const std::string before = *ReadFile(path, 1 << 20);
  ASSERT_EQ(before.substr(60, 4), std::string("\0\0\0\1", 4));  // the schema's version, in SQLite's header
  const std::vector<AudioPattern> kept = testing::KeptPatterns();
  for (int opened = 0; opened < 2; ++opened) {
    auto memory = PatternMemory::Open(path);
    ASSERT_TRUE(memory.ok()) << memory.status();
    const PatternMemoryStats stats = *(*memory)->Stats();
    EXPECT_EQ(stats.schema_version, 2);
    EXPECT_EQ(stats.patterns, 3);
    EXPECT_EQ(stats.outcomes, 2);
    const absl::Status whole = (*memory)->CheckIntegrity();
    EXPECT_TRUE(whole.ok()) << whole;
    for (int64_t id = 1; id <= 3; ++id) {
      const auto pattern = (*memory)->Get(id);
      ASSERT_TRUE(pattern.ok()) << pattern.status();
      ExpectKept(*pattern, kept[static_cast<size_t>(id - 1)]);
      const auto nearest = (*memory)->Query({kept[static_cast<size_t>(id - 1)].embedding, 1, std::nullopt, 0.99});
      ASSERT_EQ(nearest->size(), 1u);
      EXPECT_EQ(nearest->front().pattern.id, id);
    }
    EXPECT_TRUE(absl::IsNotFound((*memory)->Get(4).status()));
    const auto together = *(*memory)->HeardWith(1);
    ASSERT_EQ(together.size(), 1u);
    EXPECT_EQ(together[0].id, 2);
    const auto best = *(*memory)->BestOutcomes(std::nullopt);
    ASSERT_EQ(best.size(), 1u);
    EXPECT_EQ(best[0].pattern.id, 2);
    EXPECT_EQ(best[0].outcomes, 2);
    EXPECT_EQ(best[0].mean_score, 0.5);
    const std::vector<float> heard = {0.6f, 0.8f};
    if (opened == 0) {
      EXPECT_TRUE((*memory)->QueryHearing("ears", heard)->empty());
      EXPECT_TRUE((*memory)->StoreHearing(3, "ears", heard).ok());
    }
    EXPECT_EQ((*memory)->QueryHearing("ears", heard)->front().pattern.id, 3);
  }
  auto memory = PatternMemory::Open(path);
  EXPECT_EQ((*memory)->Store(kept)->front(), 5);  // ids are not given twice
}

}  // namespace
}  // namespace grym
