// PatternMemory: storing, querying with rows fetched, opening. Three kinds of vectors: motifs are what the library
// itself stores (melodic embeddings of random tunes, all within one cone, many nearly equal); clustered ones are songs
// that repeat themselves and each other; random ones have no structure at all and are the hardest case for any index.
//
// GRYM_BENCH_SHORT=1 leaves 10,000 only; GRYM_BENCH_LARGE=1 adds a million patterns (five minutes, 5 GB of disk).
// GRYM_BENCH_FOLDER keeps the stores and the vectors (NAME.f32, NAME-queries.f32: float32 [n, 128]) for
// benchmarks/peers/memory_peers.py.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/fs.h"
#include "base/random.h"
#include "grymsynth/pattern_memory.h"
#include "memory/vector_set.h"
#include "patterns/embedding.h"

namespace {

using Clock = std::chrono::steady_clock;
using grym::AudioPattern;
using grym::PatternEmbedding;
using grym::PatternMemory;

constexpr int kQueries = 200;
constexpr uint64_t kSeed = 2026;

bool Large() { return std::getenv("GRYM_BENCH_LARGE") != nullptr; }

// Every store of this run; removed at the end unless the caller named the folder.
class BenchFolder {
 public:
  BenchFolder() : kept_(std::getenv("GRYM_BENCH_FOLDER")) {
    path_ = kept_ ? std::filesystem::path(kept_) : grym::MakeTempFolder("grym-bench").value();
    std::filesystem::create_directories(path_);
  }
  ~BenchFolder() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  static const std::filesystem::path& Path() {
    static const BenchFolder folder;
    return folder.path_;
  }

 private:
  const char* kept_;
  std::filesystem::path path_;
};

PatternEmbedding RandomUnit(grym::Random& random) {
  PatternEmbedding vector;
  double squares = 0;
  for (float& value : vector) {
    value = static_cast<float>(random.Normal());
    squares += double{value} * value;
  }
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
  return vector;
}

enum class Shape { kClustered, kRandom, kMotifs };
constexpr const char* kShapeNames[] = {"clustered", "random", "motifs"};

// Clustered: fifty vectors around each centre, noise half as long as the centre.
class Vectors {
 public:
  Vectors(int64_t count, Shape shape) : random_(kSeed, kShapeNames[static_cast<int>(shape)]), shape_(shape) {
    grym::Random centres(kSeed, "centres");
    for (int64_t i = 0; shape == Shape::kClustered && i < count / 50; ++i) centres_.push_back(RandomUnit(centres));
  }
  PatternEmbedding Next() {
    if (shape_ == Shape::kMotifs) return NextMotif();
    PatternEmbedding vector = RandomUnit(random_);
    if (shape_ == Shape::kRandom) return vector;
    const PatternEmbedding& centre =
        centres_[static_cast<size_t>(random_.Below(static_cast<int64_t>(centres_.size())))];
    double squares = 0;
    for (size_t d = 0; d < vector.size(); ++d) {
      vector[d] = centre[d] + 0.5f * vector[d];
      squares += double{vector[d]} * vector[d];
    }
    for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
    return vector;
  }

 private:
  // Four to ten notes that mostly step, in eighths and quarters with a few long ones.
  PatternEmbedding NextMotif() {
    static constexpr int kSteps[] = {-2, -2, -1, -1, 0, 1, 1, 2, 2, 2, 3, 4, -3, 5, -5, 7};
    static constexpr double kBeats[] = {0.5, 0.5, 0.5, 1, 1, 0.25, 1.5, 2};
    std::vector<int> intervals = {0};
    std::vector<double> durations = {kBeats[random_.Below(std::size(kBeats))]};
    for (int64_t notes = 3 + random_.Below(7); notes > 0; --notes) {
      intervals.push_back(intervals.back() + kSteps[random_.Below(std::size(kSteps))]);
      durations.push_back(kBeats[random_.Below(std::size(kBeats))]);
    }
    return grym::MelodicEmbedding(intervals, durations);
  }

  grym::Random random_;
  Shape shape_;
  std::vector<PatternEmbedding> centres_;
};

// About what a detected chord loop carries.
AudioPattern TypicalPattern(int64_t number, const PatternEmbedding& embedding) {
  AudioPattern pattern;
  pattern.kind = grym::PatternKind::kHarmonic;
  pattern.description = "4-bar loop C Am F G, 4 times";
  for (int i = 0; i < 4; ++i) pattern.spans.push_back({8.0 * i, 8.0 * (i + 1)});
  pattern.strength = 0.5;
  pattern.evidence = {{"chord_loop_length", 4, "the chords return every 4 bars"},
                      {"coverage", 0.9, "it fills 90 % of the bars"}};
  pattern.embedding = embedding;
  pattern.tempo_bpm = 120;
  pattern.meter = 4;
  pattern.key = "C major";
  pattern.chords = {"C", "Am", "F", "G"};
  pattern.chord_beats = 4;
  pattern.source = "song " + std::to_string(number / 12);
  return pattern;
}

void Check(benchmark::State& state, const absl::Status& status) {
  if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
}

struct Filled {
  std::filesystem::path path;
  std::vector<PatternEmbedding> queries;
  std::vector<std::vector<grym::Neighbour>> truth;  // ten nearest, by comparing with every vector
};

void KeepVectors(const std::filesystem::path& path, const std::vector<PatternEmbedding>& vectors) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(vectors.data()),
             static_cast<std::streamsize>(vectors.size() * sizeof(PatternEmbedding)));
}

// A closed store of `count` patterns, made once.
absl::StatusOr<const Filled*> FilledStore(int64_t count, Shape shape) {
  static std::map<std::pair<int64_t, Shape>, Filled> made;
  const auto known = made.find({count, shape});
  if (known != made.end()) return &known->second;
  Filled filled;
  const std::string name = std::string(kShapeNames[static_cast<int>(shape)]) + "-" + std::to_string(count);
  filled.path = BenchFolder::Path() / (name + ".grym");
  Vectors source(count, shape);
  auto memory = PatternMemory::Open(filled.path);
  if (!memory.ok()) return memory.status();
  const auto stats = (*memory)->Stats();
  if (!stats.ok()) return stats.status();
  const bool fresh = stats->patterns == 0;
  grym::VectorSet all;
  std::vector<PatternEmbedding> vectors;
  std::vector<AudioPattern> batch;
  for (int64_t i = 0; i < count; ++i) {
    const PatternEmbedding vector = source.Next();
    all.Add(i + 1, vector);
    if (std::getenv("GRYM_BENCH_FOLDER")) vectors.push_back(vector);
    if (!fresh) continue;
    batch.push_back(TypicalPattern(i, vector));
    if (batch.size() < 1000 && i + 1 < count) continue;
    const auto ids = (*memory)->Store(batch);
    if (!ids.ok()) return ids.status();
    batch.clear();
  }
  for (int i = 0; i < kQueries; ++i) {
    filled.queries.push_back(source.Next());
    filled.truth.push_back(all.Search(filled.queries.back(), 10, -1));
  }
  if (!vectors.empty()) {
    KeepVectors(BenchFolder::Path() / (name + ".f32"), vectors);
    KeepVectors(BenchFolder::Path() / (name + "-queries.f32"), filled.queries);
  }
  return &made.emplace(std::make_pair(count, shape), std::move(filled)).first->second;
}

void ReportTimes(benchmark::State& state, std::vector<double> times_ms) {
  if (times_ms.empty()) return;
  std::sort(times_ms.begin(), times_ms.end());
  double sum = 0;
  for (const double time_ms : times_ms) sum += time_ms;
  state.counters["mean_ms"] = sum / static_cast<double>(times_ms.size());
  state.counters["p95_ms"] = times_ms[(times_ms.size() * 95) / 100];
  state.counters["max_ms"] = times_ms.back();
}

double SinceMs(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// One pattern a call, on disk when it returns.
void BM_Memory_Store(benchmark::State& state) {
  const std::filesystem::path path = BenchFolder::Path() / "store.grym";
  std::filesystem::remove(path);
  auto memory = PatternMemory::Open(path);
  if (!memory.ok()) return Check(state, memory.status());
  grym::Random random(kSeed);
  std::vector<double> times_ms;
  for (auto _ : state) {
    const AudioPattern pattern = TypicalPattern(1, RandomUnit(random));
    const Clock::time_point start = Clock::now();
    const auto ids = (*memory)->Store(std::span(&pattern, 1));
    times_ms.push_back(SinceMs(start));
    if (!ids.ok()) return Check(state, ids.status());
  }
  ReportTimes(state, times_ms);
}

void QueryBenchmark(benchmark::State& state, Shape shape) {
  const auto filled = FilledStore(state.range(0), shape);
  if (!filled.ok()) return Check(state, filled.status());
  auto memory = PatternMemory::Open((*filled)->path);
  if (!memory.ok()) return Check(state, memory.status());
  grym::PatternQuery query;
  query.kind = grym::PatternKind::kHarmonic;
  query.embedding = (*filled)->queries[0];
  const Clock::time_point start = Clock::now();
  Check(state, (*memory)->Query(query).status());
  state.counters["first_query_s"] = SinceMs(start) / 1000;
  std::vector<double> times_ms;
  size_t found = 0, wanted = 0, next = 0;
  for (auto _ : state) {
    const size_t number = next++ % (*filled)->queries.size();
    query.embedding = (*filled)->queries[number];
    const Clock::time_point began = Clock::now();
    const auto matches = (*memory)->Query(query);
    times_ms.push_back(SinceMs(began));
    if (!matches.ok()) return Check(state, matches.status());
    for (const grym::Neighbour& near : (*filled)->truth[number]) {
      ++wanted;
      found +=
          std::any_of(matches->begin(), matches->end(), [&](const auto& match) { return match.pattern.id == near.id; });
    }
  }
  ReportTimes(state, times_ms);
  state.counters["recall_at_10"] = static_cast<double>(found) / static_cast<double>(std::max<size_t>(wanted, 1));
  Check(state, (*memory)->Close());
}

void BM_Memory_QueryClustered(benchmark::State& state) { QueryBenchmark(state, Shape::kClustered); }
void BM_Memory_QueryRandom(benchmark::State& state) { QueryBenchmark(state, Shape::kRandom); }
void BM_Memory_QueryMotifs(benchmark::State& state) { QueryBenchmark(state, Shape::kMotifs); }

void BM_Memory_Open(benchmark::State& state) {
  const auto filled = FilledStore(state.range(0), Shape::kClustered);
  if (!filled.ok()) return Check(state, filled.status());
  for (auto _ : state) {
    auto memory = PatternMemory::Open((*filled)->path);
    if (!memory.ok()) return Check(state, memory.status());
    benchmark::DoNotOptimize(memory);
  }
}

void Sizes(benchmark::internal::Benchmark* family) {
  family->Arg(10000)->Unit(benchmark::kMillisecond);
  const char* shortened = std::getenv("GRYM_BENCH_SHORT");
  if (!shortened || !*shortened) family->Arg(100000);
  if (Large()) family->Arg(1000000);
}

BENCHMARK(BM_Memory_Store)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Memory_QueryClustered)->Apply(Sizes);
BENCHMARK(BM_Memory_QueryRandom)->Apply(Sizes);
BENCHMARK(BM_Memory_QueryMotifs)->Apply(Sizes);
BENCHMARK(BM_Memory_Open)->Apply(Sizes);

}  // namespace
