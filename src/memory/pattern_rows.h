// Patterns as rows: the tables, and the way there and back.
#pragma once
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/pattern.h"
#include "grymsynth/pattern_memory.h"
#include "store/database.h"

namespace grym {

// Tables: `state` (one row: generation, counts, identity), `pattern`, `vector` (apart from `pattern`, so that reading
// all vectors reads nothing else), `outcome`, `removal` (which generation removed which id), and `hearing`
// (hearing_rows.h).
const Schema& PatternMemorySchema();

// A pattern that was found fit to be stored. `embedding` has unit length.
struct PatternRow {
  const AudioPattern* pattern = nullptr;
  PatternEmbedding embedding{};
  std::string detail;  // JSON: spans, evidence, chords, intervals, durations, grid
};
// InvalidArgument (code "bad_pattern") for an embedding that is not finite or has no length, any number that is not
// finite, a kind that is none, and text that is no UTF-8.
absl::StatusOr<PatternRow> MakePatternRow(const AudioPattern& pattern);
// The same direction with unit length; one that has it already is kept bit for bit. InvalidArgument as above.
absl::StatusOr<PatternEmbedding> UnitEmbedding(const PatternEmbedding& embedding);

// Inserts row and vector and answers the new id. Runs inside the caller's transaction.
absl::StatusOr<int64_t> InsertPattern(Database& db, const PatternRow& row, int64_t batch);

// The columns that ReadRow expects, for "SELECT ... FROM pattern p ..."; ReadMatch expects v.value after them, for
// "... JOIN vector v ON v.pattern_id = p.id ...".
extern const char kRowColumns[];
// From the current row of such a statement; ReadRow leaves the embedding 0, both the similarity. DamagedPattern where
// a row does not read back.
absl::StatusOr<PatternMatch> ReadRow(const Statement& row);
absl::StatusOr<PatternMatch> ReadMatch(const Statement& row);
absl::Status DamagedPattern(int64_t id);  // DataLoss, code "store_damaged"

}  // namespace grym
