#include "grymsynth/pattern_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <new>

#include "base/progress.h"
#include "base/format.h"
#include "base/status.h"
#include "memory/hearing_rows.h"
#include "memory/pattern_rows.h"
#include "memory/vector_index.h"
#include "store/database.h"

namespace grym {
namespace {

constexpr int64_t kRowsAtOnce = 2048;  // a few milliseconds; others may take their turn in between

absl::Status NoPattern(int64_t id) {
  return Error(absl::StatusCode::kNotFound, "pattern_not_found",
               Formatted("pattern memory: no pattern with id %d", id));
}

absl::Status CheckLimit(int limit) {
  if (limit >= 1 && limit <= 1000) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "bad_limit",
               Formatted("pattern memory: want a limit of 1 to 1000, got %d", limit));
}

absl::StatusOr<int64_t> ReadNumber(Database& db, std::string_view sql) {
  GRYM_ASSIGN_OR_RETURN(Statement * read, db.Cached(sql));
  GRYM_ASSIGN_OR_RETURN(const bool found, read->Step());
  const int64_t value = found ? read->Int(0) : 0;
  read->Reset();
  return value;
}

}  // namespace

struct PatternMemory::Impl {
  std::mutex mutex;
  std::unique_ptr<Database> db;
  PatternMemoryOptions options;
  std::filesystem::path path;
  std::unique_ptr<VectorIndex> index;  // null until a query needs it
  int64_t index_generation = -1;       // of the rows that it reflects, up to index_last_id
  int64_t index_last_id = 0;
  bool index_whole = false;  // false: rows after index_last_id were not read yet

  absl::StatusOr<int64_t> Generation() { return ReadNumber(*db, "SELECT generation FROM state"); }
  bool CaughtUp(int64_t generation) const { return index && index_whole && generation == index_generation; }
  absl::Status CatchUp(std::unique_lock<std::mutex>& lock, const RunOptions& run);
  absl::Status ReadMore();
  absl::StatusOr<bool> ReadNewVectors();
  absl::Status ReadRemovals();
  absl::StatusOr<PatternMatch> Fetch(int64_t id);
  absl::StatusOr<PatternMatch> FetchNear(const Neighbour& near);
  absl::Status CompareCounts();
  absl::Status CompareIndex(std::unique_lock<std::mutex>& lock);
  void Stored(std::span<const int64_t> ids, std::span<const PatternRow> rows, int64_t generation_before);
};

// The next kRowsAtOnce rows after the last one seen; whether these were all. Ids only rise, so what another process
// wrote in between is found here as well.
absl::StatusOr<bool> PatternMemory::Impl::ReadNewVectors() {
  GRYM_ASSIGN_OR_RETURN(
      Statement * read,
      db->Cached("SELECT pattern_id, kind, value FROM vector WHERE pattern_id > ?1 ORDER BY pattern_id"));
  read->BindInt(1, index_last_id);
  for (int64_t rows = 0;; ++rows) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) return true;
    if (rows == kRowsAtOnce) {
      read->Reset();
      return false;
    }
    const int64_t id = read->Int(0), kind = read->Int(1);
    const std::span<const std::byte> blob = read->Blob(2);
    PatternEmbedding vector;
    if (blob.size() == sizeof(vector)) std::memcpy(vector.data(), blob.data(), sizeof(vector));
    if (blob.size() != sizeof(vector) || kind < 0 || kind >= VectorIndex::kKinds || !UnitEmbedding(vector).ok()) {
      read->Reset();
      return Error(absl::StatusCode::kDataLoss, "store_damaged",
                   Formatted("pattern memory: the vector of pattern %d does not read back", id));
    }
    index->Add(static_cast<PatternKind>(kind), id, vector);
    index_last_id = id;
  }
}

absl::Status PatternMemory::Impl::ReadRemovals() {
  GRYM_ASSIGN_OR_RETURN(Statement * read, db->Cached("SELECT pattern_id FROM removal WHERE generation > ?1"));
  read->BindInt(1, index_generation);
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) return absl::OkStatus();
    index->Remove(read->Int(0));
  }
}

// Brings the index to the rows' generation. Progress is told without the lock, so that who is told may call the memory,
// and others may in between: whatever they changed is seen by the next look at the generation. What a cancelled call
// has read is kept.
absl::Status PatternMemory::Impl::CatchUp(std::unique_lock<std::mutex>& lock, const RunOptions& run) {
  ProgressReporter progress(run);
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const int64_t generation, Generation());
    if (CaughtUp(generation)) return absl::OkStatus();
    GRYM_RETURN_IF_ERROR(progress.Check());
    if (run.progress) {
      GRYM_ASSIGN_OR_RETURN(const int64_t patterns, ReadNumber(*db, "SELECT patterns FROM state"));
      const auto read = static_cast<double>(index ? index->size() : 0);
      lock.unlock();
      progress.Report(read / static_cast<double>(std::max<int64_t>(patterns, 1)), "read patterns");
      lock.lock();
    }
    GRYM_RETURN_IF_ERROR(ReadMore());
  }
}

// A part of the rows, read in one snapshot. An index that is not whole is of the snapshot's generation as far as it goes.
absl::Status PatternMemory::Impl::ReadMore() {
  GRYM_ASSIGN_OR_RETURN(const Transaction reading, Transaction::BeginReading(*db));
  index_whole = false;
  // When memory runs out between two vectors the index is dropped, since nobody knows what it holds.
  struct DropUnlessDone {
    std::unique_ptr<VectorIndex>& index;
    const int depth = std::uncaught_exceptions();
    ~DropUnlessDone() {
      if (std::uncaught_exceptions() > depth) index.reset();
    }
  } const drop{index};
  absl::StatusOr<int64_t> snapshot = Generation();
  absl::Status status = snapshot.status();
  if (status.ok()) {
    if (!index) {
      index = std::make_unique<VectorIndex>(options.exact_search_limit);
      index_generation = -1;  // until it is filled; what breaks off before then is gone on with
      index_last_id = 0;
    } else {
      status = ReadRemovals();
    }
  }
  if (status.ok()) {
    const absl::StatusOr<bool> all = ReadNewVectors();
    status = all.status();
    index_whole = all.ok() && *all;
  }
  if (status.ok()) {
    index_generation = *snapshot;
  } else {
    index.reset();
  }
  return status;
}

absl::StatusOr<PatternMatch> PatternMemory::Impl::Fetch(int64_t id) {
  static const std::string sql = std::string("SELECT ") + kRowColumns +
                                 ", v.value FROM pattern p JOIN vector v ON v.pattern_id = p.id WHERE p.id = ?1";
  GRYM_ASSIGN_OR_RETURN(Statement * read, db->Cached(sql));
  GRYM_ASSIGN_OR_RETURN(const bool found, read->BindInt(1, id).Step());
  if (!found) return NoPattern(id);
  absl::StatusOr<PatternMatch> match = ReadMatch(*read);
  read->Reset();
  return match;
}

// The vector is in the index already, and finding it in the file again would take as long as the rest of the row.
absl::StatusOr<PatternMatch> PatternMemory::Impl::FetchNear(const Neighbour& near) {
  static const std::string sql = std::string("SELECT ") + kRowColumns + " FROM pattern p WHERE p.id = ?1";
  GRYM_ASSIGN_OR_RETURN(Statement * read, db->Cached(sql));
  GRYM_ASSIGN_OR_RETURN(const bool found, read->BindInt(1, near.id).Step());
  if (!found) return NoPattern(near.id);  // another process removed it just now
  absl::StatusOr<PatternMatch> match = ReadRow(*read);
  read->Reset();
  if (!match.ok()) return match;
  const float* vector = index->Find(match->pattern.kind, near.id);
  if (!vector) return DamagedPattern(near.id);  // the row's kind is not the vector's
  std::copy_n(vector, match->pattern.embedding.size(), match->pattern.embedding.begin());
  match->similarity = near.similarity;
  return match;
}

// The commit is done; the index follows, unless another process wrote in between: then the next query reads the rows.
void PatternMemory::Impl::Stored(std::span<const int64_t> ids, std::span<const PatternRow> rows,
                                 int64_t generation_before) {
  if (!index || !index_whole || index_generation != generation_before) return;
  try {
    for (size_t i = 0; i < ids.size(); ++i) {
      index->Add(rows[i].pattern->kind, ids[i], rows[i].embedding);
      index_last_id = ids[i];
    }
    index_generation = generation_before + 1;
  } catch (const std::bad_alloc&) {
    index.reset();  // what is stored is stored; the next query reads the rows
  }
}

PatternMemory::PatternMemory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PatternMemory::~PatternMemory() {
  try {
    (void)Close();
  } catch (const std::bad_alloc&) {
    // The cache is not written; the database closes with its owner.
  }
}

absl::StatusOr<std::unique_ptr<PatternMemory>> PatternMemory::Open(const std::filesystem::path& path,
                                                                   const PatternMemoryOptions& options) {
  if (options.exact_search_limit < 0 || options.busy_timeout_ms < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_options",
                 Formatted("pattern memory: want exact_search_limit and busy_timeout_ms of 0 or more, got %d and %d",
                           options.exact_search_limit, options.busy_timeout_ms));
  }
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->path = path;
  DatabaseOptions database;
  database.busy_timeout_ms = options.busy_timeout_ms;
  database.full_check = options.full_check;
  database.cache_bytes = int64_t{16} << 20;
  database.vfs = options.vfs;
  GRYM_ASSIGN_OR_RETURN(impl->db, Database::Open(path, PatternMemorySchema(), database));
  GRYM_ASSIGN_OR_RETURN(const int64_t states, ReadNumber(*impl->db, "SELECT count(*) FROM state"));
  if (states != 1) {
    return Error(absl::StatusCode::kDataLoss, "store_damaged",
                 Formatted("\"%s\": want one row of state, got %d", Printable(path.string()), states));
  }
  return std::unique_ptr<PatternMemory>(new PatternMemory(std::move(impl)));
}

absl::StatusOr<std::vector<int64_t>> PatternMemory::Store(std::span<const AudioPattern> patterns) {
  std::vector<PatternRow> rows;
  for (size_t i = 0; i < patterns.size(); ++i) {
    absl::StatusOr<PatternRow> row = MakePatternRow(patterns[i]);
    if (!row.ok()) return Annotate(row.status(), Formatted("patterns[%d]", i));
    rows.push_back(std::move(*row));
  }
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  Database& db = *impl_->db;
  std::vector<int64_t> ids;
  GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  GRYM_ASSIGN_OR_RETURN(const int64_t generation, impl_->Generation());
  for (const PatternRow& row : rows) {
    GRYM_ASSIGN_OR_RETURN(const int64_t id, InsertPattern(db, row, generation + 1));
    ids.push_back(id);
  }
  GRYM_ASSIGN_OR_RETURN(Statement * count,
                        db.Cached("UPDATE state SET generation = generation + 1, patterns = patterns + ?1"));
  GRYM_RETURN_IF_ERROR(count->BindInt(1, static_cast<int64_t>(ids.size())).Run());
  GRYM_RETURN_IF_ERROR(transaction.Commit());
  impl_->Stored(ids, rows, generation);
  return ids;
}

absl::StatusOr<AudioPattern> PatternMemory::Get(int64_t id) const {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  GRYM_ASSIGN_OR_RETURN(PatternMatch match, impl_->Fetch(id));
  return std::move(match.pattern);
}

absl::Status PatternMemory::Remove(int64_t id) {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  Database& db = *impl_->db;
  GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  GRYM_ASSIGN_OR_RETURN(const int64_t generation, impl_->Generation());
  GRYM_ASSIGN_OR_RETURN(Statement * change,
                        db.Cached("UPDATE state SET generation = generation + 1, patterns = patterns - 1, "
                                  "outcomes = outcomes - (SELECT count(*) FROM outcome WHERE pattern_id = ?1)"));
  GRYM_RETURN_IF_ERROR(change->BindInt(1, id).Run());
  GRYM_ASSIGN_OR_RETURN(change, db.Cached("DELETE FROM pattern WHERE id = ?1"));  // vector and outcomes go with it
  GRYM_RETURN_IF_ERROR(change->BindInt(1, id).Run());
  if (db.changes() == 0) return NoPattern(id);
  GRYM_ASSIGN_OR_RETURN(change, db.Cached("INSERT INTO removal (generation, pattern_id) VALUES (?1, ?2)"));
  GRYM_RETURN_IF_ERROR(change->BindInt(1, generation + 1).BindInt(2, id).Run());
  GRYM_RETURN_IF_ERROR(transaction.Commit());
  if (impl_->index && impl_->index_generation == generation) {
    impl_->index->Remove(id);
    impl_->index_generation = generation + 1;
  }
  return absl::OkStatus();
}

absl::Status PatternMemory::LoadIndex(const RunOptions& run) const {
  std::unique_lock<std::mutex> lock(impl_->mutex);
  return impl_->CatchUp(lock, run);
}

absl::StatusOr<std::vector<PatternMatch>> PatternMemory::Query(const PatternQuery& query, const RunOptions& run) const {
  GRYM_RETURN_IF_ERROR(CheckLimit(query.limit));
  if (std::isnan(query.min_similarity)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_threshold",
                 "pattern memory: want a similarity in [-1, 1], got NaN");
  }
  GRYM_ASSIGN_OR_RETURN(const PatternEmbedding unit, UnitEmbedding(query.embedding));
  std::unique_lock<std::mutex> lock(impl_->mutex);
  GRYM_RETURN_IF_ERROR(impl_->CatchUp(lock, run));
  const std::vector<Neighbour> nearest =
      impl_->index->Search(unit, query.kind, static_cast<size_t>(query.limit), query.min_similarity);
  // The file is locked and its journal looked at once, not for every row.
  GRYM_ASSIGN_OR_RETURN(const Transaction reading, Transaction::BeginReading(*impl_->db));
  std::vector<PatternMatch> matches;
  for (const Neighbour& near : nearest) {
    absl::StatusOr<PatternMatch> match = impl_->FetchNear(near);
    if (match.status().code() == absl::StatusCode::kNotFound) continue;
    if (!match.ok()) return match.status();
    matches.push_back(std::move(*match));
  }
  return matches;
}

absl::Status PatternMemory::RecordOutcome(int64_t id, double score, std::string_view note) {
  if (!(score >= 0 && score <= 1)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_score",
                 Formatted("pattern memory: want a score in [0, 1], got %g", score));
  }
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  Database& db = *impl_->db;
  GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  GRYM_ASSIGN_OR_RETURN(
      Statement * change,
      db.Cached("UPDATE pattern SET outcome_count = outcome_count + 1, outcome_sum = outcome_sum + ?2 WHERE id = ?1"));
  GRYM_RETURN_IF_ERROR(change->BindInt(1, id).BindDouble(2, score).Run());
  if (db.changes() == 0) return NoPattern(id);
  GRYM_ASSIGN_OR_RETURN(change, db.Cached("INSERT INTO outcome (pattern_id, score, note) VALUES (?1, ?2, ?3)"));
  GRYM_RETURN_IF_ERROR(change->BindInt(1, id).BindDouble(2, score).BindText(3, note).Run());
  GRYM_ASSIGN_OR_RETURN(change, db.Cached("UPDATE state SET outcomes = outcomes + 1"));
  GRYM_RETURN_IF_ERROR(change->Run());
  return transaction.Commit();
}

absl::Status PatternMemory::StoreHearing(int64_t id, std::string_view space, std::span<const float> vector) {
  GRYM_RETURN_IF_ERROR(CheckHearing(space, vector));
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*impl_->db));
  GRYM_RETURN_IF_ERROR(impl_->Fetch(id).status());
  GRYM_RETURN_IF_ERROR(PutHearing(*impl_->db, id, space, vector));
  return transaction.Commit();
}

absl::StatusOr<std::vector<PatternMatch>> PatternMemory::QueryHearing(std::string_view space,
                                                                      std::span<const float> vector, int limit,
                                                                      const RunOptions& run) const {
  GRYM_RETURN_IF_ERROR(CheckLimit(limit));
  GRYM_RETURN_IF_ERROR(CheckHearing(space, vector));
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  GRYM_ASSIGN_OR_RETURN(const Transaction reading, Transaction::BeginReading(*impl_->db));
  GRYM_ASSIGN_OR_RETURN(const std::vector<Neighbour> nearest,
                        NearestHearings(*impl_->db, space, vector, static_cast<size_t>(limit), run.cancel));
  std::vector<PatternMatch> matches;
  for (const Neighbour& near : nearest) {
    GRYM_ASSIGN_OR_RETURN(PatternMatch match, impl_->Fetch(near.id));
    match.similarity = near.similarity;
    matches.push_back(std::move(match));
  }
  return matches;
}

absl::StatusOr<std::vector<AudioPattern>> PatternMemory::HeardWith(int64_t id, int limit) const {
  GRYM_RETURN_IF_ERROR(CheckLimit(limit));
  static const std::string sql =
      std::string("SELECT ") + kRowColumns +
      ", v.value FROM pattern p JOIN vector v ON v.pattern_id = p.id WHERE p.batch = (SELECT batch FROM pattern "
      "WHERE id = ?1) AND p.id <> ?1 ORDER BY p.strength DESC, p.id LIMIT ?2";
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  GRYM_RETURN_IF_ERROR(impl_->Fetch(id).status());
  GRYM_ASSIGN_OR_RETURN(Statement * read, impl_->db->Cached(sql));
  read->BindInt(1, id).BindInt(2, limit);
  std::vector<AudioPattern> patterns;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) return patterns;
    absl::StatusOr<PatternMatch> match = ReadMatch(*read);
    if (!match.ok()) {
      read->Reset();
      return match.status();
    }
    patterns.push_back(std::move(match->pattern));
  }
}

absl::StatusOr<std::vector<PatternMatch>> PatternMemory::BestOutcomes(std::optional<PatternKind> kind,
                                                                      int limit) const {
  GRYM_RETURN_IF_ERROR(CheckLimit(limit));
  static const std::string sql =
      std::string("SELECT ") + kRowColumns +
      ", v.value FROM pattern p JOIN vector v ON v.pattern_id = p.id WHERE p.outcome_count > 0 AND (?1 < 0 OR "
      "p.kind = ?1) ORDER BY p.outcome_sum / p.outcome_count DESC, p.id LIMIT ?2";
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  GRYM_ASSIGN_OR_RETURN(Statement * read, impl_->db->Cached(sql));
  read->BindInt(1, kind ? static_cast<int>(*kind) : -1).BindInt(2, limit);
  std::vector<PatternMatch> matches;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) return matches;
    absl::StatusOr<PatternMatch> match = ReadMatch(*read);
    if (!match.ok()) {
      read->Reset();
      return match.status();
    }
    matches.push_back(std::move(*match));
  }
}

absl::StatusOr<PatternMemoryStats> PatternMemory::Stats() const {
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  PatternMemoryStats stats;
  GRYM_ASSIGN_OR_RETURN(stats.patterns, ReadNumber(*impl_->db, "SELECT patterns FROM state"));
  GRYM_ASSIGN_OR_RETURN(stats.outcomes, ReadNumber(*impl_->db, "SELECT outcomes FROM state"));
  stats.file_bytes = impl_->db->file_bytes();
  stats.schema_version = impl_->db->schema_version();
  stats.index_loaded = impl_->index && impl_->index_whole;
  stats.index_approximate = stats.index_loaded && impl_->index->approximate();
  return stats;
}

absl::Status PatternMemory::Impl::CompareCounts() {
  struct Rule {
    const char* sql;
    const char* words;
  };
  static constexpr Rule kRules[] = {
      {"SELECT (SELECT patterns FROM state) - (SELECT count(*) FROM pattern)",
       "the number of patterns against what was counted"},
      {"SELECT (SELECT outcomes FROM state) - (SELECT count(*) FROM outcome)",
       "the number of outcomes against what was counted"},
      {"SELECT count(*) FROM pattern p LEFT JOIN vector v ON v.pattern_id = p.id WHERE v.kind IS NOT p.kind",
       "patterns without their vector"},
      {"SELECT (SELECT count(*) FROM vector) - (SELECT count(*) FROM pattern)", "vectors without a pattern"},
      {"SELECT sum(p.outcome_count) - (SELECT count(*) FROM outcome) FROM pattern p",
       "outcomes against the patterns' own counts"}};
  for (const Rule& rule : kRules) {
    GRYM_ASSIGN_OR_RETURN(const int64_t wrong, ReadNumber(*db, rule.sql));
    if (wrong != 0) {
      return Error(absl::StatusCode::kDataLoss, "store_damaged",
                   Formatted("\"%s\": %s differ by %d", Printable(path.string()), rule.words, wrong));
    }
  }
  return absl::OkStatus();
}

absl::Status PatternMemory::Impl::CompareIndex(std::unique_lock<std::mutex>& lock) {
  GRYM_RETURN_IF_ERROR(CatchUp(lock, {}));  // without progress to tell the lock stays
  GRYM_ASSIGN_OR_RETURN(Statement * read, db->Cached("SELECT pattern_id, kind, value FROM vector"));
  int64_t rows = 0, wrong = 0;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) break;
    ++rows;
    const float* held = index->Find(static_cast<PatternKind>(read->Int(1)), read->Int(0));
    const std::span<const std::byte> blob = read->Blob(2);
    wrong += !held || blob.size() != sizeof(PatternEmbedding) || std::memcmp(held, blob.data(), blob.size()) != 0;
  }
  if (wrong == 0 && rows == index->size()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "store_damaged",
               Formatted("\"%s\": the index holds %d vectors, the file %d; %d differ", Printable(path.string()),
                         index->size(), rows, wrong));
}

absl::Status PatternMemory::CheckIntegrity() const {
  std::unique_lock<std::mutex> lock(impl_->mutex);
  GRYM_RETURN_IF_ERROR(impl_->db->CheckIntegrity());
  GRYM_RETURN_IF_ERROR(impl_->CompareCounts());
  return impl_->CompareIndex(lock);
}

absl::Status PatternMemory::Close() {
  if (!impl_) return absl::OkStatus();
  const std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->index.reset();
  impl_->index_generation = -1;
  return impl_->db->Close();
}

}  // namespace grym
