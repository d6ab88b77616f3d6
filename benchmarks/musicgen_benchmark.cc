// Attention over MusicGen-small's keys and values, both halves of guidance: all a late step does more than an early one.
// Beside it how fast this machine reads memory at all; both lie on large pages, as the models' memory does. Threads take
// a part of every layer's heads, without waiting for one another. The column Time is a step's time over the threads;
// "s_step" is the time itself, and CPU what a thread worked for it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dsp/dispatch.h"
#include "models/musicgen/key_value_cache.h"
#include "runtime/memory_budget.h"

namespace {

using namespace grym;

constexpr int64_t kMostSteps = 1504;
constexpr CacheShape kSmall = {24, 2, 16, 64, kMostSteps};  // of musicgen-small, with guidance

GRYM_HOT uint64_t SumOfReadWords(const uint64_t* GRYM_RESTRICT words, int64_t count) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += words[i];
  return sum;
}

// Everything is taken under a budget, whose allocator gives large pages.
struct Budgeted {
  std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>(int64_t{2} << 30);
  BudgetScope scope{budget};
};

void BM_Musicgen_ReadLimit(benchmark::State& state) {
  constexpr int64_t kWords = int64_t{32} << 20;  // 256 MiB
  static at::Tensor words;
  if (state.thread_index() == 0) {
    const Budgeted budgeted;
    words = at::empty({kWords}, at::kLong);
    words.fill_(1);
  }
  for (auto _ : state) {
    const int64_t each = kWords / state.threads();
    const auto* const from = reinterpret_cast<const uint64_t*>(words.const_data_ptr<int64_t>());
    benchmark::DoNotOptimize(SumOfReadWords(from + each * state.thread_index(), each));
  }
  state.SetBytesProcessed(state.iterations() * 8 * kWords / state.threads());
  if (state.thread_index() == 0) words.reset();
}
BENCHMARK(BM_Musicgen_ReadLimit)->Threads(1)->Threads(2)->UseRealTime()->Unit(benchmark::kMillisecond);

std::unique_ptr<KeyValueCache> FilledCache(int64_t bits, CachePath path) {
  const Budgeted budgeted;
  CacheShape shape = kSmall;
  shape.bits = bits;
  auto cache = std::make_unique<KeyValueCache>(shape, path);
  std::vector<float> numbers(static_cast<size_t>(997 + shape.dim));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i * 7919 % 997) / 498 - 1;
  int64_t drawn = 0;
  for (int64_t lane = 0; lane < shape.layers * shape.rows * shape.heads; ++lane) {
    for (int64_t position = 0; position < shape.capacity; ++position, drawn += 2) {
      cache->Write(lane / (shape.rows * shape.heads), lane / shape.heads % shape.rows, lane % shape.heads, position,
                   numbers.data() + drawn % 997, numbers.data() + (drawn + 1) % 997);
    }
  }
  return cache;
}

// Behind so many steps, in so many bits, on a path.
void BM_Musicgen_Attend(benchmark::State& state) {
  static std::unique_ptr<KeyValueCache> cache;
  static std::pair<int64_t, CachePath> kind;  // of the cache that is there: filling it takes a second
  const int64_t count = state.range(0), bits = state.range(1);
  const auto path = static_cast<CachePath>(state.range(2));
  if (state.thread_index() == 0 && (!cache || kind != std::pair(bits, path))) {
    cache.reset();
    cache = FilledCache(bits, path);
    kind = {bits, path};
  }
  const int64_t pairs = kSmall.rows * kSmall.heads, part = state.thread_index(), parts = state.threads();
  const std::vector<float> query(static_cast<size_t>(kSmall.dim), 0.25f);
  std::vector<float> out(static_cast<size_t>(kSmall.dim));
  for (auto _ : state) {
    for (int64_t layer = 0; layer < kSmall.layers; ++layer) {
      for (int64_t i = pairs * part / parts; i < pairs * (part + 1) / parts; ++i) {
        cache->Attend(layer, i / kSmall.heads, i % kSmall.heads, count, query.data(), out.data());
      }
    }
    benchmark::DoNotOptimize(out.data());
  }
  using benchmark::Counter;
  state.counters["s_step"] = Counter(static_cast<double>(state.iterations()),
                                     Counter::kIsRate | Counter::kAvgThreads | Counter::kInvert);
  state.SetBytesProcessed(state.iterations() * kSmall.layers * pairs * count * 2 * (kSmall.dim * bits / 8 + 4) / parts);
  if (state.thread_index() == 0) state.SetLabel(std::to_string(bits) + " bits " + CachePathName(path));
}
void AttendArguments(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t bits : {16, 8}) {
    for (const CachePath path : {CachePath::kPortable, CachePath::kAvx2, CachePath::kAvx512}) {
      if (!CachePathRuns(path)) continue;
      for (const int64_t count : {100, 500, 1500}) benchmark->Args({count, bits, static_cast<int64_t>(path)});
    }
  }
}
BENCHMARK(BM_Musicgen_Attend)
    ->Apply(AttendArguments)
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
