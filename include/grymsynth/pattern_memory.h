// PatternMemory: patterns and how well they worked, kept in one file that survives kill -9.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"
#include "grymsynth/pattern.h"

namespace grym {

struct PatternMemoryOptions {
  int64_t exact_search_limit = 100000;  // up to this many patterns the search is exact, above it recall@10 is 0.97
  bool full_check = false;              // run the integrity check at open even after a clean end
  int busy_timeout_ms = 5000;           // how long a write waits for another process
  std::string vfs;                      // SQLite's storage layer by name, "" for the platform's; fault tests set it
};

struct PatternMatch {
  AudioPattern pattern;
  double similarity = 0;  // cosine, [-1, 1]
  double mean_score = 0;  // of its recorded outcomes, 0 when there are none
  int64_t outcomes = 0;
};

struct PatternQuery {
  PatternEmbedding embedding{};
  int limit = 10;                        // [1, 1000]
  std::optional<PatternKind> kind;       // only this kind
  double min_similarity = -1;
};

struct PatternMemoryStats {
  int64_t patterns = 0;
  int64_t outcomes = 0;
  int64_t file_bytes = 0;
  int schema_version = 0;
  bool index_loaded = false;
  bool index_approximate = false;
};

// One SQLite file (WAL) and nothing beside it; rows are the truth, the vector index a cache in memory (676 bytes a
// pattern) that the first query reads: up to 5 s for a million. LoadIndex does it ahead, both can be cancelled, and
// what was read by then is kept. The same patterns and query give the same answer, exact or not. Threads: any; calls on
// one object take turns, a callback's too. Two processes: the second writer waits up to 5 s, then Unavailable.
class GRYM_EXPORT PatternMemory {
 public:
  // Creates the file if absent. FailedPrecondition, file untouched, for a newer schema; DataLoss for a damaged or
  // foreign file; both name the file. InvalidArgument for no path: there is no memory without a file.
  static absl::StatusOr<std::unique_ptr<PatternMemory>> Open(const std::filesystem::path& path,
                                                             const PatternMemoryOptions& options = {});
  ~PatternMemory();  // closes

  // All or none, in one commit; ids in the order given. On disk (survives power loss) when it returns.
  // InvalidArgument for an embedding that is not finite or has no length.
  absl::StatusOr<std::vector<int64_t>> Store(std::span<const AudioPattern> patterns);
  absl::StatusOr<AudioPattern> Get(int64_t id) const;  // NotFound
  absl::Status Remove(int64_t id);                     // NotFound
  // Most similar first. Only a call that has to read the index takes long enough to need `run`.
  absl::StatusOr<std::vector<PatternMatch>> Query(const PatternQuery& query, const RunOptions& run = {}) const;
  absl::Status LoadIndex(const RunOptions& run = {}) const;
  // A take that used the pattern scored `score` in [0, 1]. NotFound.
  absl::Status RecordOutcome(int64_t id, double score, std::string_view note = "");
  // Keeps what an embedder heard of a pattern, over what was kept before: a vector [1, 4096] in a space named by the
  // embedder, so that sounds and words of one space can be compared. NotFound; InvalidArgument (code "bad_hearing").
  absl::Status StoreHearing(int64_t id, std::string_view space, std::span<const float> vector);
  // The patterns of the space that lie nearest to `vector` by cosine, most similar first. Exact; all vectors of the
  // space are read, some 40 ms for 100,000 of 512 numbers. limit in [1, 1000]. InvalidArgument (code "bad_hearing") for
  // a vector that the space cannot hold.
  absl::StatusOr<std::vector<PatternMatch>> QueryHearing(std::string_view space, std::span<const float> vector,
                                                         int limit = 10, const RunOptions& run = {}) const;
  // Patterns learnt in the same Store call (heard together), strongest first, without the pattern itself. NotFound.
  absl::StatusOr<std::vector<AudioPattern>> HeardWith(int64_t id, int limit = 20) const;
  // Patterns with recorded outcomes, best mean score first; `similarity` is 0. limit in [1, 1000].
  absl::StatusOr<std::vector<PatternMatch>> BestOutcomes(std::optional<PatternKind> kind, int limit = 20) const;
  absl::StatusOr<PatternMemoryStats> Stats() const;
  // SQLite's full integrity check, then rows against vectors. DataLoss says what is wrong.
  absl::Status CheckIntegrity() const;
  // Flushes and closes; every later call answers FailedPrecondition. Closing twice is harmless.
  absl::Status Close();

 private:
  struct Impl;
  explicit PatternMemory(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace grym
