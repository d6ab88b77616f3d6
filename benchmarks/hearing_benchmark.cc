// What hearing costs. The first argument is seconds of stereo audio at 44.1 kHz, the second threads.
#include <benchmark/benchmark.h>

#include "grymsynth/audio_processor.h"
#include "test_music.h"

namespace {

void BM_Analysis_Analyze(benchmark::State& state) {
  const grym::AudioBuffer audio = TestMusic(static_cast<int>(state.range(0)));
  const auto processor = grym::AudioProcessor::Create({static_cast<int>(state.range(1))});
  for (auto _ : state) {
    auto features = processor->Analyze(audio);
    if (!features.ok()) state.SkipWithError(std::string(features.status().message()).c_str());
    benchmark::DoNotOptimize(features);
  }
  state.counters["audio_s_per_s"] = benchmark::Counter(
      static_cast<double>(state.range(0)) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Analysis_Analyze)->Args({10, 1})->Args({60, 1})->Args({60, 2})
    ->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_Analysis_Enhance(benchmark::State& state) {
  const grym::AudioBuffer audio = TestMusic(static_cast<int>(state.range(0)));
  const auto processor = grym::AudioProcessor::Create();
  for (auto _ : state) {
    auto enhanced = processor->Enhance(audio);
    if (!enhanced.ok()) state.SkipWithError(std::string(enhanced.status().message()).c_str());
    benchmark::DoNotOptimize(enhanced);
  }
  state.counters["audio_s_per_s"] = benchmark::Counter(
      static_cast<double>(state.range(0)) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Analysis_Enhance)->Arg(10)->Unit(benchmark::kMillisecond);

}  // namespace
