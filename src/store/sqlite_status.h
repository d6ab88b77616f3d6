// SQLite's result codes as statuses: the code says what the caller can do.
#pragma once
#include <string_view>

#include "absl/status/status.h"

struct sqlite3;

namespace grym {

// OK for SQLITE_OK, SQLITE_ROW and SQLITE_DONE. `db` (may be null) gives SQLite's words, the system's error number and
// the file's name. FULL and a full or limited disk: ResourceExhausted "disk_full"; BUSY, LOCKED: Unavailable
// "store_busy"; CORRUPT, NOTADB: DataLoss "store_damaged"; READONLY, PERM: PermissionDenied "store_read_only";
// CANTOPEN: NotFound "store_not_found"; other input or output errors: Unavailable "store_io"; NOMEM: ResourceExhausted
// "no_memory"; CONSTRAINT: FailedPrecondition "store_constraint"; TOOBIG: InvalidArgument "store_too_big"; the rest:
// Internal "store".
absl::Status SqliteStatus(int result, sqlite3* db, std::string_view doing);

}  // namespace grym
