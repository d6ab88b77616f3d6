// AnalysisStream in an audio callback: what a second of stereo costs, and the worst single Push.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>
#ifdef __unix__
#include <ctime>
#endif

#include "grymsynth/analysis_stream.h"
#include "test_music.h"

namespace {

using namespace grym;

constexpr int64_t kStreamSeconds = 30;

// Of this thread alone, so that what else runs on the machine is left out.
double CpuSeconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
#else
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

void BM_Stream_Push(benchmark::State& state) {
  const AudioBuffer audio = TestMusic(static_cast<int>(kStreamSeconds));
  const int64_t block = state.range(0);
  std::vector<double> pushes_s;
  std::array<AnalysisEvent, 64> events;
  for (auto _ : state) {
    state.PauseTiming();
    const auto stream = AnalysisStream::Create({.rate_hz = audio.rate_hz(), .channels = audio.channels()}).value();
    std::vector<const float*> channels(static_cast<size_t>(audio.channels()));
    state.ResumeTiming();
    for (int64_t at = 0; at + block <= audio.frames(); at += block) {
      for (int c = 0; c < audio.channels(); ++c) channels[static_cast<size_t>(c)] = audio.channel(c).data() + at;
      const double from_s = CpuSeconds();
      stream->Push(channels, block);
      pushes_s.push_back(CpuSeconds() - from_s);
      benchmark::DoNotOptimize(stream->TakeEvents(events));
    }
  }
  std::sort(pushes_s.begin(), pushes_s.end());
  const auto at = [&](double share) {
    return 1e6 * pushes_s[static_cast<size_t>(share * static_cast<double>(pushes_s.size() - 1))];
  };
  double sum_s = 0;
  for (const double push_s : pushes_s) sum_s += push_s;
  state.counters["cpu_ms_per_audio_s"] =
      1e3 * sum_s / static_cast<double>(kStreamSeconds * static_cast<int64_t>(state.iterations()));
  state.counters["median_us"] = at(0.5);
  state.counters["p999_us"] = at(0.999);
  state.counters["worst_us"] = at(1);
  state.counters["block_us"] = 1e6 * static_cast<double>(block) / audio.rate_hz();
}
BENCHMARK(BM_Stream_Push)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
