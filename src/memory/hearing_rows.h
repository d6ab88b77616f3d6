// What embedders heard of the patterns, as rows: vectors of any length, each in a space of its embedder's own.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "memory/vector_index.h"
#include "store/database.h"

namespace grym {

inline constexpr int64_t kMostHearingDims = 4096;
inline constexpr size_t kMostSpaceBytes = 200;

// The table, from schema version 1 to 2.
extern const char kHearingTable[];

// InvalidArgument (code "bad_hearing") for a space without a name or with too long a one, and for a vector that is empty,
// too long, not finite or without length.
absl::Status CheckHearing(std::string_view space, std::span<const float> vector);
// Stores the vector at unit length over the one that was there. Inside the caller's transaction. InvalidArgument (code
// "bad_hearing"), and nothing is stored, where the space holds vectors of another length.
absl::Status PutHearing(Database& db, int64_t pattern_id, std::string_view space, std::span<const float> vector);
// The `limit` nearest by cosine, most similar first, then by id. Reads every vector of the space: exact, some 0.4 us a
// pattern and 512 numbers. InvalidArgument (code "bad_hearing") where the space holds vectors of another length.
absl::StatusOr<std::vector<Neighbour>> NearestHearings(Database& db, std::string_view space,
                                                       std::span<const float> vector, size_t limit,
                                                       const CancelToken& cancel);

}  // namespace grym
