#include "memory/hearing_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kHearingsBetweenPolls = 4096;

absl::Status BadHearing(const std::string& what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_hearing", "pattern memory: " + what);
}

std::string WrongLength(size_t wanted, std::string_view space, size_t got) {
  return Formatted("want a vector of %d numbers, as the space \"%s\" has, got %d", wanted, Printable(space), got);
}

std::vector<float> AtUnitLength(std::span<const float> vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * value;
  const double scale = 1 / std::sqrt(squares);
  std::vector<float> unit(vector.size());
  for (size_t i = 0; i < vector.size(); ++i) unit[i] = static_cast<float>(vector[i] * scale);
  return unit;
}

// Eight sums, so that the compiler may keep them in one register.
float DotOf(const float* a, const std::byte* b, size_t count) {
  float sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    float other[8];
    std::memcpy(other, b + i * sizeof(float), sizeof other);
    for (size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * other[k];
  }
  float sum = 0;
  for (const float part : sums) sum += part;
  for (; i < count; ++i) {
    float other = 0;
    std::memcpy(&other, b + i * sizeof(float), sizeof other);
    sum += a[i] * other;
  }
  return sum;
}

}  // namespace

const char kHearingTable[] = R"sql(
CREATE TABLE hearing (
  space TEXT NOT NULL, pattern_id INTEGER NOT NULL REFERENCES pattern (id) ON DELETE CASCADE, value BLOB NOT NULL,
  PRIMARY KEY (space, pattern_id)) WITHOUT ROWID;
CREATE INDEX hearing_by_pattern ON hearing (pattern_id);
)sql";

absl::Status CheckHearing(std::string_view space, std::span<const float> vector) {
  if (space.empty() || space.size() > kMostSpaceBytes) {
    return BadHearing(Formatted("want a space's name of 1 to %d bytes, got %d", kMostSpaceBytes, space.size()));
  }
  if (vector.empty() || vector.size() > static_cast<size_t>(kMostHearingDims)) {
    return BadHearing(Formatted("want a vector of 1 to %d numbers, got %d", kMostHearingDims, vector.size()));
  }
  double squares = 0;
  for (const float value : vector) squares += double{value} * value;
  if (!std::isfinite(squares) || squares < 1e-24) {
    return BadHearing(Formatted("want a finite vector that has a length, got one of length %g", std::sqrt(squares)));
  }
  return absl::OkStatus();
}

absl::Status PutHearing(Database& db, int64_t pattern_id, std::string_view space, std::span<const float> vector) {
  GRYM_ASSIGN_OR_RETURN(
      Statement * other, db.Cached("SELECT length(value) FROM hearing WHERE space = ?1 AND pattern_id <> ?2 LIMIT 1"));
  GRYM_ASSIGN_OR_RETURN(const bool found, other->BindText(1, space).BindInt(2, pattern_id).Step());
  const auto dims = found ? static_cast<size_t>(other->Int(0)) / sizeof(float) : vector.size();
  other->Reset();
  if (dims != vector.size()) return BadHearing(WrongLength(dims, space, vector.size()));
  const std::vector<float> unit = AtUnitLength(vector);
  GRYM_ASSIGN_OR_RETURN(Statement * put,
                        db.Cached("INSERT INTO hearing (space, pattern_id, value) VALUES (?1, ?2, ?3) "
                                  "ON CONFLICT (space, pattern_id) DO UPDATE SET value = excluded.value"));
  return put->BindText(1, space).BindInt(2, pattern_id).BindBlob(3, std::as_bytes(std::span<const float>(unit))).Run();
}

absl::StatusOr<std::vector<Neighbour>> NearestHearings(Database& db, std::string_view space,
                                                       std::span<const float> vector, size_t limit,
                                                       const CancelToken& cancel) {
  const std::vector<float> unit = AtUnitLength(vector);
  GRYM_ASSIGN_OR_RETURN(Statement * read, db.Cached("SELECT pattern_id, value FROM hearing WHERE space = ?1"));
  read->BindText(1, space);
  std::vector<Neighbour> nearest;  // a heap, the farthest on top
  for (int64_t rows = 0;; ++rows) {
    GRYM_ASSIGN_OR_RETURN(const bool row, read->Step());
    if (!row) break;
    const std::span<const std::byte> blob = read->Blob(1);
    absl::Status status = rows % kHearingsBetweenPolls == 0 ? cancel.Check() : absl::OkStatus();
    if (status.ok() && blob.size() != unit.size() * sizeof(float)) {
      status = BadHearing(WrongLength(blob.size() / sizeof(float), space, unit.size()));
    }
    if (!status.ok()) {
      read->Reset();
      return status;
    }
    const Neighbour near{read->Int(0), DotOf(unit.data(), blob.data(), unit.size())};
    if (nearest.size() == limit && !NearerThan(near, nearest.front())) continue;
    if (nearest.size() == limit) {
      std::pop_heap(nearest.begin(), nearest.end(), NearerThan);
      nearest.pop_back();
    }
    nearest.push_back(near);
    std::push_heap(nearest.begin(), nearest.end(), NearerThan);
  }
  std::sort_heap(nearest.begin(), nearest.end(), NearerThan);
  return nearest;
}

}  // namespace grym
