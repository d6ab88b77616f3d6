// What a store's file is, found out without writing to it.
#pragma once
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/database.h"

namespace grym {

struct Preflight {
  bool fresh = false;    // absent or empty: to be created
  bool unclean = false;  // a journal was left behind and nobody has the file open
};

// The errors of Database::Open that promise an untouched file, as far as file header and journal tell them. Reads the
// header through SQLite's own file handle: a second descriptor, once closed, would drop this process's locks
// (sqlite.org/howtocorrupt.html, section 2.2).
absl::StatusOr<Preflight> CheckFile(const std::filesystem::path& path, const Schema& schema,
                                    const DatabaseOptions& options);

// The errors for an application id or schema version that is not ours.
absl::Status CheckIdentity(const std::filesystem::path& path, const Schema& schema, int64_t application_id,
                           int64_t version);

// First column of the first row, as a number.
absl::StatusOr<int64_t> ReadPragma(sqlite3* db, const char* sql);

}  // namespace grym
