// One decoding step over MusicGen-small's matrices in each format, beside how fast this machine reads memory at all.
// Threads each take a part of every matrix's rows, without waiting for one another: the kernels, not their caller. The
// column Time is a step's time over the threads; "s_step" is the time itself, and CPU what a thread worked for it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dsp/dispatch.h"
#include "quant/pack.h"
#include "quant/product.h"

namespace {

using namespace grym;

struct Side {
  int64_t out, in;
};

// 24 layers: fused query, key and value, output, cross attention's query and output, both feed-forward matrices; then
// the heads of four codebooks.
std::vector<Side> StepMatrices() {
  std::vector<Side> sides;
  for (int layer = 0; layer < 24; ++layer) {
    for (const Side side : {Side{3072, 1024}, Side{1024, 1024}, Side{1024, 1024}, Side{1024, 1024}, Side{4096, 1024},
                            Side{1024, 4096}}) {
      sides.push_back(side);
    }
  }
  sides.push_back({8192, 1024});
  return sides;
}

struct FreeDeleter {
  void operator()(uint8_t* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<uint8_t[], FreeDeleter>;

AlignedBytes Aligned(int64_t bytes) {
  return AlignedBytes(static_cast<uint8_t*>(std::aligned_alloc(64, static_cast<size_t>((bytes + 63) / 64 * 64))));
}

std::vector<float> GaussianWeights(size_t count) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> draw(0, 0.02f);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = draw(random);
  return weights;
}

// All of a step's matrices, one behind the other. The rows of one drawn matrix serve all: only their bytes are read.
struct PackedStep {
  std::vector<PackedView> matrices;
  std::vector<AlignedBytes> bytes;
  int64_t total_bytes = 0;
};

std::unique_ptr<PackedStep> PackStep(WeightFormat format) {
  auto step = std::make_unique<PackedStep>();
  const std::vector<float> weights = GaussianWeights(size_t{1024} * 1024);
  for (const Side side : StepMatrices()) {
    const PackedLayout layout =
        PackedLayout::Create(format, side.out, side.in, HasGroups(format) ? 64 : 0).value();
    AlignedBytes bytes = Aligned(layout.bytes());
    const int64_t rows_at_once = 1024 * 1024 / side.in;
    for (int64_t row = 0; row < side.out; row += rows_at_once) {
      PackRows(layout, weights.data(), row, std::min(row + rows_at_once, side.out), bytes.get());
    }
    step->matrices.emplace_back(layout, bytes.get());
    step->bytes.push_back(std::move(bytes));
    step->total_bytes += layout.bytes();
  }
  return step;
}

GRYM_HOT uint64_t SumOfWords(const uint64_t* GRYM_RESTRICT words, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += words[i];
  return sum;
}

void BM_Quant_ReadLimit(benchmark::State& state) {
  static std::vector<uint64_t> words;
  if (state.thread_index() == 0) words.assign(size_t{64} << 20, 1);  // 512 MiB
  for (auto _ : state) {
    const size_t each = words.size() / static_cast<size_t>(state.threads());
    benchmark::DoNotOptimize(SumOfWords(words.data() + each * static_cast<size_t>(state.thread_index()), each));
  }
  state.SetBytesProcessed(state.iterations() * int64_t{8} * (int64_t{64} << 20) / state.threads());
}
BENCHMARK(BM_Quant_ReadLimit)->Threads(1)->Threads(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Quant_Step(benchmark::State& state) {
  static std::unique_ptr<PackedStep> step;
  if (state.thread_index() == 0) step = PackStep(static_cast<WeightFormat>(state.range(0)));
  const int64_t rows = state.range(1), parts = state.threads(), part = state.thread_index();
  const auto path = static_cast<ProductPath>(state.range(2));
  std::vector<float> x(static_cast<size_t>(4096 * rows), 0.5f), y(static_cast<size_t>(8192 * rows));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) / 48 - 1;
  const AlignedBytes prepared = Aligned(4 * rows * (4096 + 4096));
  if (!ProductPathRuns(path)) state.SkipWithError("no path of this machine");
  for (auto _ : state) {
    for (const PackedView& matrix : step->matrices) {
      auto* const floats = reinterpret_cast<float*>(prepared.get());
      PrepareInputs(matrix.layout(), x.data(), rows, floats);
      const int64_t blocks = matrix.layout().blocks();
      MultiplyBlocks(matrix, floats, rows, blocks * part / parts, blocks * (part + 1) / parts, nullptr, y.data(), path);
    }
    benchmark::DoNotOptimize(y.data());
  }
  using benchmark::Counter;
  state.counters["s_step"] = Counter(static_cast<double>(state.iterations()),
                                     Counter::kIsRate | Counter::kAvgThreads | Counter::kInvert);
  if (state.thread_index() == 0) {
    state.counters["MB"] = static_cast<double>(step->total_bytes) / 1e6;
    state.SetLabel(std::string(WeightFormatName(static_cast<WeightFormat>(state.range(0)))) + " " +
                   ProductPathName(path));
  }
  state.SetBytesProcessed(state.iterations() * step->total_bytes / parts);
}
void StepArguments(benchmark::internal::Benchmark* benchmark) {
  for (int format = 1; format <= 5; ++format) {
    for (const int rows : {1, 2, 4, 16}) benchmark->Args({format, rows, static_cast<int>(BestProductPath())});
    if (BestProductPath() != ProductPath::kAvx2) benchmark->Args({format, 2, static_cast<int>(ProductPath::kAvx2)});
  }
}
BENCHMARK(BM_Quant_Step)->Apply(StepArguments)->Threads(2)->UseRealTime()->Unit(benchmark::kMillisecond);

// Weights a second on one thread; rows are packed on as many as the caller has.
void BM_Quant_Pack(benchmark::State& state) {
  const auto format = static_cast<WeightFormat>(state.range(0));
  const PackedLayout layout = PackedLayout::Create(format, 1024, 1024, HasGroups(format) ? 64 : 0).value();
  const std::vector<float> weights = GaussianWeights(size_t{1024} * 1024);
  const AlignedBytes bytes = Aligned(layout.bytes());
  for (auto _ : state) PackRows(layout, weights.data(), 0, 1024, bytes.get());
  state.SetItemsProcessed(state.iterations() * 1024 * 1024);
  state.SetLabel(WeightFormatName(format));
}
BENCHMARK(BM_Quant_Pack)->DenseRange(1, 5)->Unit(benchmark::kMillisecond);

void BM_Quant_FitsFloat16(benchmark::State& state) {
  const std::vector<float> weights(size_t{1} << 22, 0.5f);
  for (auto _ : state) benchmark::DoNotOptimize(FitsFloat16(weights));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(weights.size()));
}
BENCHMARK(BM_Quant_FitsFloat16)->Unit(benchmark::kMillisecond);

}  // namespace
