// What making and judging costs. The argument is seconds of music.
#include <benchmark/benchmark.h>

#include "grymsynth/engine.h"

namespace {

void BM_Generation_Compose(benchmark::State& state, const char* prompt) {
  auto engine = grym::Engine::Create();
  if (!engine.ok()) return state.SkipWithError("engine");
  auto model = (*engine)->orchestrator().Find("composer");
  if (!model.ok()) return state.SkipWithError("composer");
  grym::GenerateAudioRequest request;
  request.prompt = prompt;
  request.duration_s = static_cast<double>(state.range(0));
  request.seed = 1;
  request.model = "composer";
  for (auto _ : state) {
    auto generator = (*model)->NewGenerator();
    auto made = generator.ok() ? (*generator)->Generate(request, {})
                               : absl::StatusOr<grym::GenerateAudioResult>(generator.status());
    if (!made.ok()) state.SkipWithError(std::string(made.status().message()).c_str());
    benchmark::DoNotOptimize(made);
  }
  state.counters["audio_s_per_s"] = benchmark::Counter(
      static_cast<double>(state.range(0)) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(BM_Generation_Compose, house, "house")->Arg(30)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Generation_Compose, jazz, "jazz")->Arg(30)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Generation_Compose, blues, "blues")->Arg(30)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Generation_Compose, drum_and_bass, "drum and bass")->Arg(30)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Generation_Compose, ambient, "ambient")->Arg(30)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Generation_Compose, first_audio, "rock")->Arg(2)->Unit(benchmark::kMillisecond);

}  // namespace
