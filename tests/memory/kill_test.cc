// kill -9 at random moments of learning: what was acknowledged is there, and the index agrees with the rows.
#include <gtest/gtest.h>

#include <cstring>

#include "base/status.h"
#include "grymsynth/pattern_memory.h"
#include "memory/sample_patterns.h"
#include "support/scratch.h"

#ifndef _WIN32
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#endif

namespace grym {
namespace {

#ifdef _WIN32
TEST(KillTest, EveryAcknowledgedPatternSurvives) { GTEST_SKIP() << "needs fork and kill -9: POSIX only"; }
#else
constexpr int kRounds = 200;

// The child: learns one to three patterns a commit until it is killed, and tells each id once Store has returned.
[[noreturn]] void LearnUntilKilled(const std::filesystem::path& path, uint64_t seed, int acknowledged) {
  Random random(seed);
  auto memory = PatternMemory::Open(path, {.exact_search_limit = 100});
  if (!memory.ok()) _exit(2);
  for (int commit = 0;; ++commit) {
    std::vector<AudioPattern> patterns;
    for (int64_t i = random.Below(3); i >= 0; --i) patterns.push_back(testing::RandomPattern(random));
    const auto ids = (*memory)->Store(patterns);
    if (!ids.ok()) _exit(3);
    if (write(acknowledged, ids->data(), ids->size() * sizeof(int64_t)) < 0) _exit(4);
    // Queries, outcomes and removals in between, so that the index is loaded while it is killed.
    if (commit % 3 == 1 && !(*memory)->Query({patterns[0].embedding, 3, std::nullopt, -1}).ok()) _exit(5);
    if (commit % 4 == 2 && !(*memory)->RecordOutcome(ids->front(), 0.5).ok()) _exit(6);
  }
}

// Reads ids until `wanted` bytes have come, then a moment longer; what is in the pipe after the kill counts as well.
void ReadAcknowledged(int pipe_end, size_t wanted, std::vector<char>& bytes) {
  char buffer[512];
  while (bytes.size() < wanted) {
    const ssize_t count = read(pipe_end, buffer, sizeof(buffer));
    if (count <= 0) return;
    bytes.insert(bytes.end(), buffer, buffer + count);
  }
}

TEST(KillTest, EveryAcknowledgedPatternSurvives) {
  testing::Scratch scratch;
  const auto path = scratch / "m.grym";
  Random random(99);
  std::vector<int64_t> acknowledged;
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      LearnUntilKilled(path, static_cast<uint64_t>(round) + 1000, ends[1]);
    }
    close(ends[1]);
    std::vector<char> bytes;
    ReadAcknowledged(ends[0], static_cast<size_t>(random.Below(4)) * sizeof(int64_t), bytes);
    poll(nullptr, 0, static_cast<int>(random.Below(4)));  // anywhere within opening, committing, syncing
    kill(child, SIGKILL);
    int state = 0;
    waitpid(child, &state, 0);
    ASSERT_TRUE(WIFSIGNALED(state)) << "the child ended by itself with " << WEXITSTATUS(state);
    ReadAcknowledged(ends[0], size_t{1} << 30, bytes);
    close(ends[0]);

    auto memory = PatternMemory::Open(path, {.exact_search_limit = 100});
    ASSERT_TRUE(memory.ok()) << round << memory.status();
    for (size_t at = 0; at + sizeof(int64_t) <= bytes.size(); at += sizeof(int64_t)) {
      int64_t id;
      std::memcpy(&id, bytes.data() + at, sizeof(id));
      acknowledged.push_back(id);
      const auto pattern = (*memory)->Get(id);
      ASSERT_TRUE(pattern.ok()) << round << pattern.status();
      const auto found = (*memory)->Query({pattern->embedding, 1, pattern->kind, 0.999});
      ASSERT_TRUE(found.ok() && found->size() == 1 && found->front().pattern.id == id) << round;
    }
    // File, rows and index against each other; the whole of it now and then, since it grows.
    if (round % 5 == 0) {
      ASSERT_TRUE((*memory)->CheckIntegrity().ok()) << round << (*memory)->CheckIntegrity();
    }
    ASSERT_GE((*memory)->Stats()->patterns, static_cast<int64_t>(acknowledged.size()));
  }
  auto memory = PatternMemory::Open(path);
  ASSERT_TRUE(memory.ok());
  EXPECT_TRUE((*memory)->CheckIntegrity().ok()) << (*memory)->CheckIntegrity();
  for (const int64_t id : acknowledged) EXPECT_TRUE((*memory)->Get(id).ok()) << id;
  EXPECT_GT(acknowledged.size(), static_cast<size_t>(kRounds));
}
#endif

}  // namespace
}  // namespace grym
