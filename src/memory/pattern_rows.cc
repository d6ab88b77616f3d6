#include "memory/pattern_rows.h"

#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/json.h"
#include "base/status.h"
#include "memory/hearing_rows.h"

namespace grym {
namespace {

constexpr JsonLimits kDetailLimits{size_t{16} << 20, 8, 64, size_t{1} << 20};

constexpr char kTables[] = R"sql(
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, patterns INTEGER NOT NULL,
  outcomes INTEGER NOT NULL, identity BLOB NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0, randomblob(16));
CREATE TABLE pattern (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 4), batch INTEGER NOT NULL,
  strength REAL NOT NULL, description TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL,
  section_label TEXT NOT NULL, tempo_bpm REAL NOT NULL, meter INTEGER NOT NULL, chord_beats REAL NOT NULL,
  detail TEXT NOT NULL, outcome_count INTEGER NOT NULL DEFAULT 0, outcome_sum REAL NOT NULL DEFAULT 0);
CREATE INDEX pattern_by_batch ON pattern (batch);
CREATE INDEX pattern_by_score ON pattern (outcome_sum / outcome_count) WHERE outcome_count > 0;
CREATE TABLE vector (
  pattern_id INTEGER PRIMARY KEY REFERENCES pattern (id) ON DELETE CASCADE, kind INTEGER NOT NULL,
  value BLOB NOT NULL CHECK (length(value) = 512));
CREATE TABLE outcome (
  id INTEGER PRIMARY KEY, pattern_id INTEGER NOT NULL REFERENCES pattern (id) ON DELETE CASCADE, score REAL NOT NULL,
  note TEXT NOT NULL);
CREATE INDEX outcome_by_pattern ON outcome (pattern_id);
CREATE TABLE removal (generation INTEGER PRIMARY KEY, pattern_id INTEGER NOT NULL);
)sql";

absl::Status BadPattern(const std::string& what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_pattern", "pattern: " + what);
}

bool AllFinite(const AudioPattern& pattern) {
  bool finite =
      std::isfinite(pattern.strength) && std::isfinite(pattern.tempo_bpm) && std::isfinite(pattern.chord_beats);
  for (const TimeSpan& span : pattern.spans)
    finite = finite && std::isfinite(span.start_s) && std::isfinite(span.end_s);
  for (const Evidence& evidence : pattern.evidence) finite = finite && std::isfinite(evidence.value);
  for (const double duration : pattern.durations_beats) finite = finite && std::isfinite(duration);
  for (const float value : pattern.onset_grid) finite = finite && std::isfinite(value);
  return finite;
}

std::string DetailJson(const AudioPattern& pattern) {
  Json detail = Json::Object();
  Json spans = Json::Array(), evidence = Json::Array(), grid = Json::Array();
  for (const TimeSpan& span : pattern.spans) {
    spans.push_back(span.start_s);
    spans.push_back(span.end_s);
  }
  for (const Evidence& item : pattern.evidence) {
    evidence.push_back(item.name);
    evidence.push_back(item.value);
    evidence.push_back(item.text);
  }
  for (const float value : pattern.onset_grid) grid.push_back(double{value});
  detail["spans"] = std::move(spans);
  detail["evidence"] = std::move(evidence);
  if (!pattern.chords.empty()) detail["chords"] = Json::ArrayOf(pattern.chords);
  if (!pattern.intervals.empty()) detail["intervals"] = Json::ArrayOf(pattern.intervals);
  if (!pattern.durations_beats.empty()) detail["durations"] = Json::ArrayOf(pattern.durations_beats);
  if (!pattern.transpositions.empty()) detail["transpositions"] = Json::ArrayOf(pattern.transpositions);
  if (!pattern.onset_grid.empty()) detail["grid"] = std::move(grid);
  return detail.Dump();
}

bool ReadDetail(const std::string& text, AudioPattern& pattern) {
  const absl::StatusOr<Json> detail = Json::Parse(text, kDetailLimits);
  if (!detail.ok()) return false;
  const Json::ArrayType& spans = detail->at("spans").items();
  const Json::ArrayType& evidence = detail->at("evidence").items();
  if (spans.size() % 2 != 0 || evidence.size() % 3 != 0) return false;
  for (size_t i = 0; i < spans.size(); i += 2) pattern.spans.push_back({spans[i].number(), spans[i + 1].number()});
  for (size_t i = 0; i < evidence.size(); i += 3) {
    pattern.evidence.push_back({evidence[i].text(), evidence[i + 1].number(), evidence[i + 2].text()});
  }
  for (const Json& chord : detail->at("chords").items()) pattern.chords.push_back(chord.text());
  for (const Json& step : detail->at("intervals").items())
    pattern.intervals.push_back(static_cast<int>(step.integer()));
  for (const Json& duration : detail->at("durations").items()) pattern.durations_beats.push_back(duration.number());
  for (const Json& step : detail->at("transpositions").items())
    pattern.transpositions.push_back(static_cast<int>(step.integer()));
  for (const Json& value : detail->at("grid").items()) pattern.onset_grid.push_back(static_cast<float>(value.number()));
  return true;
}

}  // namespace

const char kRowColumns[] =
    "p.id, p.kind, p.strength, p.description, p.source, p.key, p.section_label, p.tempo_bpm, p.meter, p.chord_beats, "
    "p.detail, p.outcome_count, p.outcome_sum";

const Schema& PatternMemorySchema() {
  static const Schema schema{"pattern memory", 0x47724d31 /* "GrM1" */, {kTables, kHearingTable}};
  return schema;
}

absl::StatusOr<PatternEmbedding> UnitEmbedding(const PatternEmbedding& embedding) {
  double squares = 0;
  for (const float value : embedding) squares += double{value} * value;
  if (!std::isfinite(squares) || squares < 1e-24) {
    return BadPattern(
        Formatted("want an embedding that is finite and has a length, got squares that sum to %g", squares));
  }
  if (std::abs(squares - 1) < 1e-5) return embedding;
  PatternEmbedding unit;
  for (size_t i = 0; i < unit.size(); ++i) unit[i] = static_cast<float>(embedding[i] / std::sqrt(squares));
  return unit;
}

absl::StatusOr<PatternRow> MakePatternRow(const AudioPattern& pattern) {
  PatternRow row;
  row.pattern = &pattern;
  const int kind = static_cast<int>(pattern.kind);
  if (kind < 0 || kind > 4) return BadPattern(Formatted("want a kind of 0 to 4, got %d", kind));
  if (!AllFinite(pattern)) return BadPattern("want finite numbers, got NaN or an infinity");
  GRYM_ASSIGN_OR_RETURN(row.embedding, UnitEmbedding(pattern.embedding));
  row.detail = DetailJson(pattern);
  AudioPattern read;
  Json names = Json::Array();
  for (const std::string* text : {&pattern.description, &pattern.source, &pattern.key, &pattern.section_label})
    names.push_back(*text);
  if (!ReadDetail(row.detail, read) || !Json::Parse(names.Dump()).ok())
    return BadPattern("want UTF-8 text of at most 1 MiB, got other bytes");
  return row;
}

absl::StatusOr<int64_t> InsertPattern(Database& db, const PatternRow& row, int64_t batch) {
  const AudioPattern& pattern = *row.pattern;
  GRYM_ASSIGN_OR_RETURN(
      Statement * insert,
      db.Cached("INSERT INTO pattern (kind, batch, strength, description, source, key, section_label, tempo_bpm, "
                "meter, chord_beats, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"));
  insert->BindInt(1, static_cast<int>(pattern.kind))
      .BindInt(2, batch)
      .BindDouble(3, pattern.strength)
      .BindText(4, pattern.description);
  insert->BindText(5, pattern.source)
      .BindText(6, pattern.key)
      .BindText(7, pattern.section_label)
      .BindDouble(8, pattern.tempo_bpm);
  GRYM_RETURN_IF_ERROR(
      insert->BindInt(9, pattern.meter).BindDouble(10, pattern.chord_beats).BindText(11, row.detail).Run());
  const int64_t id = db.last_insert_id();
  GRYM_ASSIGN_OR_RETURN(insert, db.Cached("INSERT INTO vector (pattern_id, kind, value) VALUES (?1, ?2, ?3)"));
  GRYM_RETURN_IF_ERROR(insert->BindInt(1, id)
                           .BindInt(2, static_cast<int>(pattern.kind))
                           .BindBlob(3, std::as_bytes(std::span(row.embedding)))
                           .Run());
  return id;
}

absl::Status DamagedPattern(int64_t id) {
  return Error(absl::StatusCode::kDataLoss, "store_damaged",
               Formatted("pattern memory: pattern %d does not read back", id));
}

absl::StatusOr<PatternMatch> ReadRow(const Statement& row) {
  PatternMatch match;
  AudioPattern& pattern = match.pattern;
  pattern.id = row.Int(0);
  pattern.kind = static_cast<PatternKind>(row.Int(1));
  pattern.strength = row.Double(2);
  pattern.description = row.Text(3);
  pattern.source = row.Text(4);
  pattern.key = row.Text(5);
  pattern.section_label = row.Text(6);
  pattern.tempo_bpm = row.Double(7);
  pattern.meter = static_cast<int>(row.Int(8));
  pattern.chord_beats = row.Double(9);
  match.outcomes = row.Int(11);
  match.mean_score = match.outcomes > 0 ? row.Double(12) / static_cast<double>(match.outcomes) : 0;
  if (row.Int(1) < 0 || row.Int(1) > 4 || !ReadDetail(row.Text(10), pattern)) return DamagedPattern(pattern.id);
  return match;
}

absl::StatusOr<PatternMatch> ReadMatch(const Statement& row) {
  absl::StatusOr<PatternMatch> match = ReadRow(row);
  if (!match.ok()) return match;
  const std::span<const std::byte> vector = row.Blob(13);
  if (vector.size() != sizeof(PatternEmbedding)) return DamagedPattern(match->pattern.id);
  std::memcpy(match->pattern.embedding.data(), vector.data(), vector.size());
  return match;
}

}  // namespace grym
