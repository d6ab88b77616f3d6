// Two processes, one store: they wait for each other, and nothing that either wrote is lost.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <set>

#include "base/status.h"
#include "grymsynth/pattern_memory.h"
#include "memory/pattern_rows.h"
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
TEST(TwoProcessesTest, NoneOfTheirWritesIsLost) { GTEST_SKIP() << "needs fork: POSIX only"; }
#else
constexpr int kWrites = 1000;

// The child: one pattern a commit, its id told once it is stored. It queries now and then, so that it also reads what
// the other one wrote. A "busy" answer would be an error here: with two writers nobody waits five seconds.
[[noreturn]] void WriteAll(const std::filesystem::path& path, uint64_t seed, int told) {
  Random random(seed);
  auto memory = PatternMemory::Open(path);
  if (!memory.ok()) _exit(2);
  for (int i = 0; i < kWrites; ++i) {
    AudioPattern pattern = testing::RandomPattern(random);
    pattern.source = "writer " + std::to_string(seed) + " pattern " + std::to_string(i);
    const auto ids = (*memory)->Store(std::span(&pattern, 1));
    if (!ids.ok()) _exit(3);
    if (write(told, ids->data(), sizeof(int64_t)) != sizeof(int64_t)) _exit(4);
    if (i % 100 != 99) continue;
    const auto found = (*memory)->Query({pattern.embedding, 1, pattern.kind, 0.999});
    if (!found.ok() || found->empty() || found->front().pattern.id != ids->front()) _exit(5);
  }
  if (!(*memory)->Close().ok()) _exit(6);
  _exit(0);
}

struct Child {
  pid_t id = -1;
  int reads = -1;  // what it tells
};

template <class Work>
Child Start(Work work) {
  int ends[2];
  Child child;
  if (pipe(ends) != 0) return child;
  child.id = fork();
  if (child.id == 0) {
    close(ends[0]);
    work(ends[1]);
  }
  close(ends[1]);
  child.reads = ends[0];
  return child;
}

int ExitOf(const Child& child) {
  int state = 0;
  waitpid(child.id, &state, 0);
  close(child.reads);
  return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

TEST(TwoProcessesTest, NoneOfTheirWritesIsLost) {
  testing::Scratch scratch;
  const auto path = scratch / "m.grym";
  Child children[2];
  for (uint64_t seed = 0; seed < 2; ++seed) {
    children[seed] = Start([&](int told) { WriteAll(path, seed + 1, told); });
    ASSERT_GT(children[seed].id, 0);
  }
  std::set<int64_t> ids;
  for (const Child& child : children) {
    // The pipe holds all that is told, so the order of reading stops nobody.
    int64_t id = 0;
    while (read(child.reads, &id, sizeof(id)) == static_cast<ssize_t>(sizeof(id))) ids.insert(id);
  }
  for (const Child& child : children) EXPECT_EQ(ExitOf(child), 0);
  EXPECT_EQ(ids.size(), size_t{2 * kWrites});  // no id was given twice
  auto memory = PatternMemory::Open(path);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ((*memory)->Stats()->patterns, 2 * kWrites);
  std::set<std::string> sources;
  for (const int64_t id : ids) {
    const auto pattern = (*memory)->Get(id);
    ASSERT_TRUE(pattern.ok()) << pattern.status();
    sources.insert(pattern->source);
  }
  EXPECT_EQ(sources.size(), size_t{2 * kWrites});
  EXPECT_TRUE((*memory)->CheckIntegrity().ok()) << (*memory)->CheckIntegrity();
}

// The child: keeps the store locked for writing for `hold_ms` after it has said so, or until it is killed (-1).
[[noreturn]] void HoldLock(const std::filesystem::path& path, int hold_ms, int told) {
  auto database = Database::Open(path, PatternMemorySchema());
  if (!database.ok()) _exit(2);
  auto transaction = Transaction::Begin(**database);
  if (!transaction.ok()) _exit(3);
  if (write(told, "x", 1) != 1) _exit(4);
  poll(nullptr, 0, hold_ms);
  if (!transaction->Commit().ok()) _exit(5);
  _exit(0);
}

double SecondsOf(const absl::Status& want_code, PatternMemory& memory, const AudioPattern& pattern) {
  const auto started = std::chrono::steady_clock::now();
  const absl::Status status = memory.Store(std::span(&pattern, 1)).status();
  EXPECT_EQ(status.code(), want_code.code()) << status;
  if (!status.ok()) {
    EXPECT_EQ(ErrorCode(status), "store_busy");
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

TEST(TwoProcessesTest, TheSecondWriterWaitsAndThenSaysSo) {
  testing::Scratch scratch;
  const auto path = scratch / "m.grym";
  Random random(3);
  const AudioPattern pattern = testing::RandomPattern(random);
  EXPECT_EQ(PatternMemoryOptions().busy_timeout_ms, 5000);
  auto patient = PatternMemory::Open(path), hasty = PatternMemory::Open(path, {.busy_timeout_ms = 300});
  ASSERT_TRUE(patient.ok() && hasty.ok());
  const auto first = (*patient)->Store(std::span(&pattern, 1));
  ASSERT_TRUE(first.ok());

  char said = 0;
  Child holder = Start([&](int told) { HoldLock(path, -1, told); });
  ASSERT_EQ(read(holder.reads, &said, 1), 1);
  EXPECT_GE(SecondsOf(absl::UnavailableError(""), **hasty, pattern), 0.25);
  EXPECT_TRUE((*hasty)->Get(first->front()).ok());  // reading goes on meanwhile
  EXPECT_EQ((*hasty)->Query({pattern.embedding, 1, std::nullopt, 0.999})->size(), 1u);
  kill(holder.id, SIGKILL);
  EXPECT_EQ(ExitOf(holder), -1);
  EXPECT_LT(SecondsOf(absl::OkStatus(), **hasty, pattern), 5);  // the dead one holds nothing

  holder = Start([&](int told) { HoldLock(path, 400, told); });
  ASSERT_EQ(read(holder.reads, &said, 1), 1);
  EXPECT_LT(SecondsOf(absl::OkStatus(), **patient, pattern), 5);
  EXPECT_EQ(ExitOf(holder), 0);
  EXPECT_EQ((*patient)->Stats()->patterns, 3);
}
#endif

}  // namespace
}  // namespace grym
