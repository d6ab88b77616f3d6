// Memory runs out at the N-th allocation, once and for good, in every call of the C ABI that works: the call answers
// RESOURCE_EXHAUSTED, or does without, and then its result is that of an undisturbed call. What was there before is
// there afterwards, nothing is leaked, and the same call works again once there is memory.
//
// Leaks are counted: after a failed call, and once what it made is given back, as many blocks live as before. Caches
// (SQLite's pages, a table made once) may take a block and keep it; what takes more at each of kRepeats calls in a row
// that fail at the same place, and more than as many calls that do not fail, is a leak.
//
// Each N up to the number of allocations of the call; of workflows, jobs and requests in JSON, which repeat what other
// walks do, the first 40 and from there on every stride-th, and under a sanitizer, which takes ten times as long, every
// seventh of that (GRYM_EVERY_ALLOCATION=1: all). NAME as argument: only walks whose name contains it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "no_memory/failing_malloc.h"
#include "no_memory/walks.h"

namespace grym::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSlow = true;
#else
constexpr bool kSlow = false;
#endif

int g_failures = 0;

struct Undisturbed {
  std::string result, state;
  int64_t allocations = 0;
};

// The first run fills caches; the second is what the others are compared with.
Undisturbed RunWithoutFailure(const Walk& walk) {
  Undisturbed plain;
  for (int i = 0; i < 2; ++i) {
    plain.state = walk.state();
    FailAllocation(0, false);
    const grym_status status = walk.call();
    plain.allocations = StopFailing(nullptr);
    if (status != GRYM_STATUS_OK) Complain(walk.name + " with memory: " + grym_last_error());
    plain.result = walk.result();
  }
  return plain;
}

constexpr int kRepeats = 5;

struct Tally {
  int refused = 0, coped = 0;
  int64_t kept = 0;  // blocks that caches took
};

// Blocks alive while this thread's last error is always the same one, long enough to need memory of its own.
int64_t LiveBlocksNow() {
  grym_audio* none = nullptr;
  (void)grym_audio_load("a name of a file that is not there", &none);
  return LiveBlocks();
}

// False when the N-th allocation was never reached.
bool FailOnce(const Walk& walk, const Undisturbed& plain, int64_t nth, bool for_good, Tally& tally) {
  FailAllocation(nth, for_good);
  const grym_status status = walk.call();
  int64_t refused = 0;
  StopFailing(&refused);
  const std::string where = walk.name + ", allocation " + std::to_string(nth) + (for_good ? " and on" : "");
  if (status == GRYM_STATUS_OK) {
    const std::string result = walk.result();
    if (result != plain.result) Complain(where + ": OK with another result: " + result.substr(0, 300));
    tally.coped += refused > 0;
  } else {
    const std::string words = grym_last_error();
    if (status != GRYM_STATUS_RESOURCE_EXHAUSTED) Complain(where + ": " + grym_status_name(status) + ": " + words);
    if (words.empty()) Complain(where + ": an error without words");
    ++tally.refused;
  }
  const std::string state = walk.state();
  if (state != plain.state) Complain(where + ": it left " + state + " instead of " + plain.state);
  return refused > 0;
}

// What kRepeats calls with memory take and keep: a journal has more pages in its cache after every run.
int64_t UsualGrowth(const Walk& walk) {
  const int64_t before = LiveBlocksNow();
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    if (walk.call() != GRYM_STATUS_OK) Complain(walk.name + " between: " + grym_last_error());
    walk.result();
    walk.state();
  }
  return LiveBlocksNow() - before;
}

bool RunShortOfMemory(const Walk& walk, const Undisturbed& plain, int64_t nth, bool for_good, Tally& tally) {
  const int64_t at_first = LiveBlocksNow();
  int64_t before = at_first;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    Tally again;
    const bool reached = FailOnce(walk, plain, nth, for_good, repeat == 0 ? tally : again);
    const int64_t now = LiveBlocksNow(), grown = now - before;
    if (grown <= 0) return reached;
    before = now;
    tally.kept += grown;
  }
  const int64_t lost = before - at_first - UsualGrowth(walk);
  if (lost >= kRepeats * (1 + walk.cached)) {
    Complain(walk.name + ", allocation " + std::to_string(nth) + (for_good ? " and on" : "") + ": " +
             std::to_string(lost) + " blocks lost by " + std::to_string(kRepeats) + " calls");
  }
  return true;
}

void Run(const Walk& walk) {
  const auto started = std::chrono::steady_clock::now();
  const Undisturbed plain = RunWithoutFailure(walk);
  constexpr int64_t kFirst = 40;
  const int64_t stride = std::getenv("GRYM_EVERY_ALLOCATION") ? 1 : kSlow ? 7 * walk.stride : walk.stride;
  Tally tally;
  for (const bool for_good : {false, true}) {
    for (int64_t nth = 1; nth <= plain.allocations; nth += nth < kFirst ? 1 : stride) {
      if (!RunShortOfMemory(walk, plain, nth, for_good, tally)) break;
    }
    // And it works again.
    if (walk.call() != GRYM_STATUS_OK) Complain(walk.name + " afterwards: " + grym_last_error());
    if (walk.result() != plain.result) Complain(walk.name + " afterwards: another result");
    walk.state();
  }
  if (plain.allocations > 0 && tally.refused == 0) Complain(walk.name + ": no failure was ever felt");
  std::printf("%-28s %8lld allocations, every %lld: %d refused, %d coped, %lld blocks cached, %.1f s\n",
              walk.name.c_str(), static_cast<long long>(plain.allocations), static_cast<long long>(stride),
              tally.refused, tally.coped, static_cast<long long>(tally.kept),
              std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  std::fflush(stdout);
}
// Handles rest before they are used again (capi/handle.cc): with enough of them at rest their table grows no more.
void RestHandles() {
  for (int i = 0; i < 3000; ++i) {
    grym_audio* audio = nullptr;
    Bench::Want(grym_audio_create(nullptr, 1, 1, 8000, &audio));
    grym_audio_destroy(audio);
  }
}

}  // namespace

void Complain(const std::string& what) {
  ++g_failures;
  std::printf("  not so: %s\n", what.c_str());
}
int Complaints() { return g_failures; }

}  // namespace grym::testing

int main(int argc, char** argv) {
  using namespace grym::testing;  // NOLINT
  if (!MallocCanFail()) {
    std::printf("skipped: malloc can be replaced where glibc is\n");
    return 77;
  }
  {
    Bench bench;
    RestHandles();
    std::vector<Walk> walks;
    AddAudioWalks(bench, walks);
    AddTextWalks(bench, walks);
    AddMemoryWalks(bench, walks);
    AddHearingWalks(bench, walks);
    AddMakingWalks(bench, walks);
    AddWorkflowWalks(bench, walks);
    for (const Walk& walk : walks) {
      if (argc < 2 || std::strstr(walk.name.c_str(), argv[1])) Run(walk);
    }
  }
  if (Complaints() > 0) std::printf("%d were not so\n", Complaints());
  return Complaints() > 0;
}
