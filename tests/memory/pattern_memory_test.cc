#include "grymsynth/pattern_memory.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "base/fs.h"
#include "base/status.h"
#include "memory/pattern_rows.h"
#include "memory/sample_patterns.h"
#include "store/fault_vfs.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::FaultVfs;
using testing::Near;
using testing::RandomEmbedding;
using testing::RandomPattern;
using testing::Scratch;

std::unique_ptr<PatternMemory> OpenMemory(const std::filesystem::path& path, const PatternMemoryOptions& options = {}) {
  auto memory = PatternMemory::Open(path, options);
  EXPECT_TRUE(memory.ok()) << memory.status();
  return memory.ok() ? std::move(*memory) : nullptr;
}

std::vector<AudioPattern> SomePatterns(int count, uint64_t seed = 1) {
  Random random(seed);
  std::vector<AudioPattern> patterns;
  for (int i = 0; i < count; ++i) patterns.push_back(RandomPattern(random));
  return patterns;
}

void ExpectEqual(const AudioPattern& a, const AudioPattern& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.description, b.description);
  ASSERT_EQ(a.spans.size(), b.spans.size());
  for (size_t i = 0; i < a.spans.size(); ++i) {
    EXPECT_EQ(a.spans[i].start_s, b.spans[i].start_s);
    EXPECT_EQ(a.spans[i].end_s, b.spans[i].end_s);
  }
  EXPECT_EQ(a.strength, b.strength);
  ASSERT_EQ(a.evidence.size(), b.evidence.size());
  for (size_t i = 0; i < a.evidence.size(); ++i) {
    EXPECT_EQ(a.evidence[i].name, b.evidence[i].name);
    EXPECT_EQ(a.evidence[i].value, b.evidence[i].value);
    EXPECT_EQ(a.evidence[i].text, b.evidence[i].text);
  }
  EXPECT_EQ(a.embedding, b.embedding);
  EXPECT_EQ(a.tempo_bpm, b.tempo_bpm);
  EXPECT_EQ(a.meter, b.meter);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.chords, b.chords);
  EXPECT_EQ(a.chord_beats, b.chord_beats);
  EXPECT_EQ(a.intervals, b.intervals);
  EXPECT_EQ(a.durations_beats, b.durations_beats);
  EXPECT_EQ(a.transpositions, b.transpositions);
  EXPECT_EQ(a.onset_grid, b.onset_grid);
  EXPECT_EQ(a.section_label, b.section_label);
  EXPECT_EQ(a.source, b.source);
}

TEST(PatternMemoryTest, EveryFieldComesBackAfterReopening) {
  Scratch scratch;
  const std::vector<AudioPattern> patterns = SomePatterns(300);
  std::vector<int64_t> ids;
  {
    auto memory = OpenMemory(scratch / "m.grym");
    ids = memory->Store(patterns).value();
    ASSERT_EQ(ids.size(), patterns.size());
  }
  auto memory = OpenMemory(scratch / "m.grym");
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto read = memory->Get(ids[i]);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->id, ids[i]);
    ExpectEqual(*read, patterns[i]);
  }
  EXPECT_EQ(memory->Get(ids.back() + 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(memory->CheckIntegrity().ok()) << memory->CheckIntegrity();
}

TEST(PatternMemoryTest, StoresAllOrNone) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int bad = 0; bad < 6; ++bad) {
    std::vector<AudioPattern> patterns = SomePatterns(3);
    AudioPattern& last = patterns.back();
    if (bad == 0) last.embedding.fill(0);
    if (bad == 1) last.embedding[5] = nan;
    if (bad == 2) last.strength = nan;
    if (bad == 3) last.description = "\xff\xfe";
    if (bad == 4) last.chords = {"\xc3"};
    if (bad == 5) last.kind = static_cast<PatternKind>(9);
    const auto ids = memory->Store(patterns);
    EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(std::string(ids.status().message()).find("patterns[2]"), std::string::npos) << ids.status();
  }
  EXPECT_EQ(memory->Stats()->patterns, 0);
  EXPECT_TRUE(memory->Store({}).value().empty());
}

TEST(PatternMemoryTest, QueriesFindTheNearestOfTheKind) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  std::vector<AudioPattern> patterns = SomePatterns(500);
  const std::vector<int64_t> ids = memory->Store(patterns).value();
  for (size_t i = 0; i < 50; ++i) {
    const auto matches = memory->Query({patterns[i].embedding, 5, patterns[i].kind, -1}).value();
    ASSERT_EQ(matches.size(), 5u);
    EXPECT_EQ(matches[0].pattern.id, ids[i]);
    EXPECT_NEAR(matches[0].similarity, 1, 1e-5);
    for (size_t m = 1; m < matches.size(); ++m) {
      EXPECT_LE(matches[m].similarity, matches[m - 1].similarity);
      EXPECT_EQ(matches[m].pattern.kind, patterns[i].kind);
    }
    EXPECT_EQ(memory->Query({patterns[i].embedding, 5, std::nullopt, 0.9999})->size(), 1u);
  }
  // Any length of a query means its direction.
  PatternEmbedding longer = patterns[0].embedding;
  for (float& value : longer) value *= 37;
  EXPECT_EQ(memory->Query({longer, 1, std::nullopt, -1}).value()[0].pattern.id, ids[0]);
}

TEST(PatternMemoryTest, WrongQueriesAreTold) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  Random random(1);
  const PatternEmbedding good = RandomEmbedding(random);
  for (const int limit : {0, -1, 1001})
    EXPECT_EQ(ErrorCode(memory->Query({good, limit, std::nullopt, -1}).status()), "bad_limit");
  EXPECT_EQ(ErrorCode(memory->Query({{}, 1, std::nullopt, -1}).status()), "bad_pattern");
  EXPECT_EQ(ErrorCode(memory->Query({good, 1, std::nullopt, std::nan("")}).status()), "bad_threshold");
  EXPECT_TRUE(memory->Query({good, 1000, std::nullopt, -1})->empty());
}

TEST(PatternMemoryTest, IndexFollowsStoreAndRemove) {
  Scratch scratch;
  for (const int64_t limit : {int64_t{100000}, int64_t{100}}) {
    const auto path = scratch / ("m" + std::to_string(limit) + ".grym");
    std::vector<AudioPattern> patterns = SomePatterns(800);
    for (AudioPattern& pattern : patterns) pattern.kind = PatternKind::kMelodic;
    std::vector<int64_t> ids;
    {
      auto memory = OpenMemory(path, {.exact_search_limit = limit});
      ids = memory->Store(std::span(patterns).first(700)).value();
      EXPECT_EQ(memory->Query({patterns[3].embedding, 1, PatternKind::kMelodic, -1}).value()[0].pattern.id, ids[3]);
      EXPECT_EQ(memory->Stats()->index_approximate, limit == 100);
      const auto more = memory->Store(std::span(patterns).subspan(700)).value();
      ids.insert(ids.end(), more.begin(), more.end());
      EXPECT_EQ(memory->Query({patterns[750].embedding, 1, std::nullopt, -1}).value()[0].pattern.id, ids[750]);
      ASSERT_TRUE(memory->Remove(ids[750]).ok());
      EXPECT_EQ(memory->Remove(ids[750]).code(), absl::StatusCode::kNotFound);
      EXPECT_NE(memory->Query({patterns[750].embedding, 1, std::nullopt, -1}).value()[0].pattern.id, ids[750]);
      EXPECT_TRUE(memory->CheckIntegrity().ok()) << memory->CheckIntegrity();
    }
    auto memory = OpenMemory(path, {.exact_search_limit = limit});
    EXPECT_FALSE(memory->Stats()->index_loaded);  // not before it is needed
    EXPECT_NE(memory->Query({patterns[750].embedding, 1, std::nullopt, -1}).value()[0].pattern.id, ids[750]);
    EXPECT_TRUE(memory->Stats()->index_loaded);
    EXPECT_EQ(memory->Stats()->patterns, 799);
    EXPECT_TRUE(memory->CheckIntegrity().ok());
  }
}

// What a cancelled call had read is kept, and what is stored and removed before the rest is read is not lost either.
TEST(PatternMemoryTest, ReadingTheIndexCanBeCancelledAndGoesOn) {
  Scratch scratch;
  const std::vector<AudioPattern> patterns = SomePatterns(5000);
  std::vector<int64_t> ids = OpenMemory(scratch / "m.grym")->Store(std::span(patterns).first(4990)).value();
  auto memory = OpenMemory(scratch / "m.grym"), other = OpenMemory(scratch / "m.grym");
  RunOptions run;
  int told = 0;
  run.progress = [&](const Progress& now) {
    ++told;
    EXPECT_EQ(now.stage, "read patterns");
    EXPECT_TRUE(now.fraction >= 0 && now.fraction <= 1);
    run.cancel.Cancel();
  };
  EXPECT_EQ(memory->LoadIndex(run).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(memory->Query({patterns[0].embedding, 1, std::nullopt, -1}, run).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(memory->Stats()->index_loaded);
  const auto more = memory->Store(std::span(patterns).subspan(4990)).value();
  ids.insert(ids.end(), more.begin(), more.end());
  ASSERT_TRUE(memory->Remove(ids[10]).ok());    // read already
  ASSERT_TRUE(other->Remove(ids[20]).ok());     // so as well, by another owner
  ASSERT_TRUE(memory->Remove(ids[4900]).ok());  // not read yet
  ASSERT_TRUE(memory->LoadIndex().ok());
  EXPECT_TRUE(memory->Stats()->index_loaded);
  for (const size_t i : {size_t{10}, size_t{20}, size_t{4900}})
    EXPECT_TRUE(memory->Query({patterns[i].embedding, 1, std::nullopt, 0.999})->empty());
  for (const size_t i : {size_t{0}, size_t{3000}, size_t{4989}, size_t{4999}})
    EXPECT_EQ(memory->Query({patterns[i].embedding, 1, std::nullopt, 0.999}).value()[0].pattern.id, ids[i]);
  EXPECT_TRUE(memory->CheckIntegrity().ok()) << memory->CheckIntegrity();
}

TEST(PatternMemoryTest, WhoIsToldOfProgressMayCallTheMemoryAndSoMayOthersMeanwhile) {
  Scratch scratch;
  const std::vector<AudioPattern> patterns = SomePatterns(5000);
  std::vector<int64_t> ids = OpenMemory(scratch / "m.grym")->Store(std::span(patterns).first(4990)).value();
  auto memory = OpenMemory(scratch / "m.grym");
  RunOptions run;
  int told = 0;
  run.progress = [&](const Progress&) {
    if (++told > 1) return;
    EXPECT_EQ(memory->Stats()->patterns, 4990);
    std::thread other([&] { EXPECT_TRUE(memory->RecordOutcome(ids[1], 0.5).ok()); });
    other.join();
    const auto more = memory->Store(std::span(patterns).subspan(4990)).value();
    ids.insert(ids.end(), more.begin(), more.end());
    EXPECT_TRUE(memory->Remove(ids[10]).ok());
    // Reads the index itself, to its end.
    EXPECT_EQ(memory->Query({patterns[4995].embedding, 1, std::nullopt, 0.999}).value()[0].pattern.id, ids[4995]);
    EXPECT_TRUE(memory->Remove(ids[4000]).ok());
  };
  ASSERT_TRUE(memory->LoadIndex(run).ok());
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(memory->Stats()->index_loaded);
  EXPECT_TRUE(memory->Query({patterns[4000].embedding, 1, std::nullopt, 0.999})->empty());
  EXPECT_TRUE(memory->CheckIntegrity().ok()) << memory->CheckIntegrity();
}

TEST(PatternMemoryTest, AMemoryThatAProgressCallbackClosesIsClosed) {
  Scratch scratch;
  ASSERT_TRUE(OpenMemory(scratch / "m.grym")->Store(SomePatterns(10)).ok());
  auto memory = OpenMemory(scratch / "m.grym");
  RunOptions run;
  run.progress = [&](const Progress&) { EXPECT_TRUE(memory->Close().ok()); };
  EXPECT_EQ(ErrorCode(memory->LoadIndex(run)), "store_closed");
}

// Above the limit too: the answer depends on the patterns that are stored, not on what came and went before.
TEST(PatternMemoryTest, TheSamePatternsGiveTheSameAnswer) {
  Scratch scratch;
  std::vector<AudioPattern> patterns = SomePatterns(3000);
  for (AudioPattern& pattern : patterns) pattern.kind = PatternKind::kTimbral;
  const PatternMemoryOptions sketched{.exact_search_limit = 500};
  auto memory = OpenMemory(scratch / "m.grym", sketched);
  const auto ids = memory->Store(std::span(patterns).first(2000)).value();
  ASSERT_TRUE(memory->LoadIndex().ok());
  for (size_t i = 0; i < ids.size(); i += 20) ASSERT_TRUE(memory->Remove(ids[i]).ok());
  ASSERT_TRUE(memory->Store(std::span(patterns).subspan(2000)).ok());
  EXPECT_TRUE(memory->Stats()->index_approximate);
  auto reopened = OpenMemory(scratch / "m.grym", sketched);
  Random random(77);
  for (int q = 0; q < 40; ++q) {
    const PatternQuery query{RandomEmbedding(random), 20, std::nullopt, -1};
    const auto a = memory->Query(query).value(), b = reopened->Query(query).value();
    ASSERT_EQ(a.size(), 20u);
    ASSERT_EQ(b.size(), 20u);
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].pattern.id, b[i].pattern.id);
      EXPECT_EQ(a[i].similarity, b[i].similarity);
    }
  }
}

TEST(PatternMemoryTest, SeesWhatAnotherOwnerWroteAndRemoved) {
  Scratch scratch;
  auto first = OpenMemory(scratch / "m.grym"), second = OpenMemory(scratch / "m.grym");
  const std::vector<AudioPattern> patterns = SomePatterns(30);
  const auto ids = first->Store(std::span(patterns).first(10)).value();
  const auto nearest = [](PatternMemory& memory, const AudioPattern& pattern) {
    return memory.Query({pattern.embedding, 1, std::nullopt, -1}).value()[0].pattern.id;
  };
  EXPECT_EQ(nearest(*second, patterns[4]), ids[4]);
  const auto theirs = second->Store(std::span(patterns).subspan(10, 10)).value();
  const auto mine = first->Store(std::span(patterns).subspan(20)).value();
  EXPECT_EQ(nearest(*first, patterns[15]), theirs[5]);
  EXPECT_EQ(nearest(*second, patterns[25]), mine[5]);
  ASSERT_TRUE(first->Remove(theirs[5]).ok());
  EXPECT_NE(nearest(*second, patterns[15]), theirs[5]);
  EXPECT_TRUE(first->CheckIntegrity().ok());
  EXPECT_TRUE(second->CheckIntegrity().ok());
}

TEST(PatternMemoryTest, OutcomesAreCountedAndRanked) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  const std::vector<AudioPattern> patterns = SomePatterns(5);
  const auto ids = memory->Store(patterns).value();
  ASSERT_TRUE(memory->RecordOutcome(ids[1], 0.5, "first take").ok());
  ASSERT_TRUE(memory->RecordOutcome(ids[1], 1).ok());
  ASSERT_TRUE(memory->RecordOutcome(ids[3], 0.9).ok());
  EXPECT_EQ(ErrorCode(memory->RecordOutcome(ids[0], 1.1)), "bad_score");
  EXPECT_EQ(ErrorCode(memory->RecordOutcome(ids[0], std::nan(""))), "bad_score");
  EXPECT_EQ(memory->RecordOutcome(999, 0.5).code(), absl::StatusCode::kNotFound);
  const auto best = memory->BestOutcomes(std::nullopt, 10).value();
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].pattern.id, ids[3]);
  EXPECT_EQ(best[1].mean_score, 0.75);
  EXPECT_EQ(best[1].outcomes, 2);
  EXPECT_EQ(memory->Query({patterns[1].embedding, 1, std::nullopt, -1}).value()[0].mean_score, 0.75);
  EXPECT_EQ(memory->Stats()->outcomes, 3);
  ASSERT_TRUE(memory->Remove(ids[1]).ok());
  EXPECT_EQ(memory->Stats()->outcomes, 1);
  EXPECT_TRUE(memory->CheckIntegrity().ok());
}

TEST(PatternMemoryTest, KnowsWhatWasHeardTogether) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  const auto song = memory->Store(SomePatterns(4, 1)).value();
  const auto other = memory->Store(SomePatterns(4, 2)).value();
  const auto with = memory->HeardWith(song[2]).value();
  ASSERT_EQ(with.size(), 3u);
  for (const AudioPattern& pattern : with) EXPECT_TRUE(pattern.id < other[0] && pattern.id != song[2]);
  EXPECT_EQ(memory->HeardWith(12345).status().code(), absl::StatusCode::kNotFound);
}

TEST(PatternMemoryTest, AfterCloseEveryCallSaysSo) {
  Scratch scratch;
  auto memory = OpenMemory(scratch / "m.grym");
  const auto patterns = SomePatterns(1);
  ASSERT_TRUE(memory->Close().ok());
  ASSERT_TRUE(memory->Close().ok());
  for (const absl::Status& status :
       {memory->Store(patterns).status(), memory->Get(1).status(), memory->Remove(1), memory->RecordOutcome(1, 1),
        memory->Query({patterns[0].embedding, 1, std::nullopt, -1}).status(), memory->Stats().status(),
        memory->CheckIntegrity(), memory->LoadIndex(), memory->HeardWith(1).status(),
        memory->BestOutcomes(std::nullopt).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ErrorCode(status), "store_closed");
  }
}

TEST(PatternMemoryTest, RefusesANewerFileUntouched) {
  Scratch scratch;
  const auto path = scratch / "m.grym";
  ASSERT_TRUE(OpenMemory(path)->Store(SomePatterns(3)).ok());
  {
    Schema newer = PatternMemorySchema();
    newer.migrations.push_back("CREATE TABLE tomorrow (id INTEGER PRIMARY KEY);");
    ASSERT_TRUE(Database::Open(path, newer).ok());
  }
  const std::string before = ReadFile(path, 1 << 30).value();
  const auto memory = PatternMemory::Open(path);
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorCode(memory.status()), "store_newer");
  EXPECT_EQ(ReadFile(path, 1 << 30).value(), before);
  EXPECT_FALSE(std::filesystem::exists(scratch / "m.grym-wal"));
}

TEST(PatternMemoryTest, DamagedRowsAreErrorsAndFoundByTheCheck) {
  for (const char* damage :
       {"UPDATE pattern SET detail = '{' WHERE id = 2", "UPDATE state SET patterns = 7",
        "UPDATE vector SET kind = 4 - kind", "UPDATE vector SET value = zeroblob(512) WHERE pattern_id = 2",
        "DELETE FROM vector WHERE pattern_id = 2"}) {
    Scratch scratch;
    const auto path = scratch / "m.grym";
    std::vector<AudioPattern> patterns = SomePatterns(3);
    for (AudioPattern& pattern : patterns) pattern.kind = PatternKind::kHarmonic;
    ASSERT_TRUE(OpenMemory(path)->Store(patterns).ok());
    ASSERT_TRUE((*Database::Open(path, PatternMemorySchema()))->Execute(damage).ok());
    auto memory = OpenMemory(path);
    const absl::Status check = memory->CheckIntegrity(), get = memory->Get(2).status();
    EXPECT_TRUE(check.code() == absl::StatusCode::kDataLoss || get.code() == absl::StatusCode::kDataLoss)
        << damage << check << get;
    (void)memory->Query({patterns[1].embedding, 3, std::nullopt, -1});
  }
}

// Disk full, or a failing disk, at every operation: the call fails, reading goes on, the next write works.
TEST(PatternMemoryTest, SurvivesAFailureAtEveryDiskOperation) {
  const std::vector<AudioPattern> patterns = SomePatterns(40);
  for (const bool for_good : {false, true}) {
    Scratch scratch;
    FaultVfs faults;
    auto memory = OpenMemory(scratch / "m.grym", {.vfs = FaultVfs::kName});
    ASSERT_NE(memory, nullptr);
    const auto first = memory->Store(std::span(patterns).first(5)).value();
    int refused = 0;
    bool reached = true;
    for (int n = 1; reached; ++n) {
      faults.FailAt(n, for_good);
      const auto ids = memory->Store(std::span(patterns).subspan(5, 30));  // several pages a commit
      reached = faults.failed() > 0;
      if (!ids.ok()) {
        ++refused;
        EXPECT_TRUE(ids.status().code() == absl::StatusCode::kResourceExhausted ||
                    ids.status().code() == absl::StatusCode::kUnavailable)
            << ids.status();
      }
      EXPECT_TRUE(memory->Get(first[0]).ok());
      EXPECT_EQ(memory->Query({patterns[2].embedding, 1, std::nullopt, 0.999}).value()[0].pattern.id, first[2]);
      faults.Heal();
      const auto after = memory->Store(std::span(patterns).subspan(36, 1));
      ASSERT_TRUE(after.ok()) << n << after.status();
      EXPECT_TRUE(memory->Get(after->front()).ok());
    }
    EXPECT_GT(refused, 10);
    EXPECT_TRUE(memory->CheckIntegrity().ok()) << memory->CheckIntegrity();
  }
}

}  // namespace
}  // namespace grym
