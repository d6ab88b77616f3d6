// A cancel is noticed soon, at whatever moment of whatever phase it comes. Moments and delays are processor time of
// this process, by its own timer, so a busy machine changes neither; and they are compared with the whole call, so a
// slow one does not either; what another process takes from the caches can only lengthen a delay, so the shortest of
// three counts. What waits for a disk is not seen here.
#ifndef _WIN32
#include <gtest/gtest.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <functional>

#include "grymsynth/engine.h"
#include "support/scratch.h"
#include "support/test_music.h"

namespace grym {
namespace {

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

CancelToken* g_token = nullptr;
std::atomic<double> g_cancelled_at{0};

void CancelNow(int) {
  g_token->Cancel();
  g_cancelled_at = CpuSeconds();
}

// Cancels `token` once the process has worked for `seconds` more.
class CancelAfter {
 public:
  CancelAfter(CancelToken& token, double seconds) {
    g_token = &token;
    g_cancelled_at = 0;
    struct sigaction action {};
    action.sa_handler = &CancelNow;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, &before_);
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    timer.it_value.tv_usec = static_cast<suseconds_t>(1e6 * (seconds - std::floor(seconds))) + 1;
    setitimer(ITIMER_PROF, &timer, nullptr);
  }
  ~CancelAfter() {
    const itimerval none{};
    setitimer(ITIMER_PROF, &none, nullptr);
    sigaction(SIGPROF, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
};

using Call = std::function<absl::Status(const RunOptions&)>;

// Cancels `call` at `moments` moments spread over it.
void CancelThroughout(const Call& call, int moments) {
  const double begun = CpuSeconds();
  ASSERT_TRUE(call({}).ok());
  const double whole_s = CpuSeconds() - begun;
  const double limit_s = std::max(0.050, 0.05 * whole_s);
  int cancelled = 0;
  double longest_s = 0;
  for (int i = 0; i < moments; ++i) {
    const double moment_s = whole_s * (i + 0.5) / (moments + 1);
    double noticed_s = -1;
    for (int attempt = 0; attempt < 3 && (noticed_s < 0 || noticed_s > limit_s); ++attempt) {
      RunOptions run;
      const CancelAfter timer(run.cancel, moment_s);
      const absl::Status status = call(run);
      const double took_s = CpuSeconds() - g_cancelled_at;
      if (status.ok()) continue;  // it was faster this time
      EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
      noticed_s = noticed_s < 0 ? took_s : std::min(noticed_s, took_s);
    }
    if (noticed_s < 0) continue;
    EXPECT_LE(noticed_s, limit_s) << "after " << moment_s << " of " << whole_s << " s";
    longest_s = std::max(longest_s, noticed_s);
    ++cancelled;
  }
  EXPECT_GE(cancelled, moments / 2);
  ::testing::Test::RecordProperty("longest_ms", static_cast<int>(1000 * longest_s));
  std::printf("whole call %.2f s, longest way to an end %.1f ms of work\n", whole_s, 1000 * longest_s);
}

class CancelTest : public ::testing::Test {
 protected:
  // With everything in it that the repairs work on longest.
  std::filesystem::path Worn(double seconds) {
    testing::TestMusicOptions music;
    music.seconds = seconds;
    music.noise_db = -45;
    music.hum_db = -35;
    music.gain = 1.4;
    const std::filesystem::path path = scratch_ / "worn.wav";
    EXPECT_TRUE(SaveAudio(path, testing::MakeTestMusic(music)).ok());
    return path;
  }
  testing::Scratch scratch_;
};

TEST_F(CancelTest, EnhanceOfAFile) {
  const auto processor = AudioProcessor::Create();
  const std::filesystem::path path = Worn(20);
  CancelThroughout([&](const RunOptions& run) { return processor->Enhance(path, {}, run).status(); }, 12);
}

TEST_F(CancelTest, ProcessOfAFile) {
  const auto processor = AudioProcessor::Create();
  const std::filesystem::path path = Worn(15);
  ProcessOptions options;
  options.rate_hz = 48000;
  CancelThroughout([&](const RunOptions& run) { return processor->Process(path, options, run).status(); }, 12);
}

TEST_F(CancelTest, CompareOfFiles) {
  const std::filesystem::path path = Worn(15);
  CancelThroughout([&](const RunOptions& run) { return Compare(path, path, run).status(); }, 10);
}

absl::Status RunMainJob(Engine& engine, const std::filesystem::path& input, const std::filesystem::path& output,
                        const RunOptions& run) {
  WorkflowRunOptions options;
  options.parameters["audioFile"] = JsonText(input.string());
  options.output_dir = output;
  options.run = run;
  const auto ended = engine.RunWorkflow(Workflow::Template("audio-enhancement").value(), options);
  if (!ended.ok()) return ended.status();
  if (ended->state == "cancelled") return absl::CancelledError("cancelled");
  return ended->error;
}

TEST_F(CancelTest, TheMainJobsWorkflow) {
  const auto engine = Engine::Create().value();
  const std::filesystem::path path = Worn(6);
  CancelThroughout([&](const RunOptions& run) { return RunMainJob(*engine, path, scratch_ / "out", run); }, 6);
}

// By the clock, with room for a machine that does much else.
TEST_F(CancelTest, AJobEndsSoonAfterItsCancelByTheClock) {
  const auto processor = AudioProcessor::Create();
  const std::filesystem::path path = Worn(30);
  for (const double moment_s : {0.02, 0.2, 0.4}) {
    auto job = processor->StartEnhance(path);
    job.WaitFor(moment_s);
    const auto cancelled = std::chrono::steady_clock::now();
    job.Cancel();
    const absl::Status status = job.Take().status();
    EXPECT_LT(std::chrono::steady_clock::now() - cancelled, std::chrono::seconds(1));
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kCancelled) << status;
  }
}

}  // namespace
}  // namespace grym
#endif
