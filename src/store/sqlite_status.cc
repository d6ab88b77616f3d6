#include "store/sqlite_status.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/status.h"

namespace grym {
namespace {

struct SqliteMeaning {
  absl::StatusCode status;
  const char* code;
};

SqliteMeaning MeaningOfSqlite(int result, int system_error) {
  const bool no_room = system_error == ENOSPC || system_error == EFBIG
#ifdef EDQUOT
                       || system_error == EDQUOT
#endif
      ;
  switch (result & 0xff) {
    case SQLITE_FULL:
      return {absl::StatusCode::kResourceExhausted, "disk_full"};
    case SQLITE_NOMEM:
      return {absl::StatusCode::kResourceExhausted, "no_memory"};
    case SQLITE_IOERR:
      if (result == SQLITE_IOERR_NOMEM) return {absl::StatusCode::kResourceExhausted, "no_memory"};
      // A page that should be there is not.
      if (result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS || result == SQLITE_IOERR_DATA) {
        return {absl::StatusCode::kDataLoss, "store_damaged"};
      }
      if (no_room) return {absl::StatusCode::kResourceExhausted, "disk_full"};
      return {absl::StatusCode::kUnavailable, "store_io"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {absl::StatusCode::kUnavailable, "store_busy"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {absl::StatusCode::kDataLoss, "store_damaged"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {absl::StatusCode::kPermissionDenied, "store_read_only"};
    case SQLITE_CANTOPEN:
      if (system_error == EACCES || system_error == EPERM || system_error == EROFS) {
        return {absl::StatusCode::kPermissionDenied, "store_read_only"};
      }
      return {absl::StatusCode::kNotFound, "store_not_found"};
    case SQLITE_CONSTRAINT:
      return {absl::StatusCode::kFailedPrecondition, "store_constraint"};
    case SQLITE_TOOBIG:
      return {absl::StatusCode::kInvalidArgument, "store_too_big"};
    case SQLITE_INTERRUPT:
      return {absl::StatusCode::kCancelled, "store_interrupted"};
    default:
      return {absl::StatusCode::kInternal, "store"};
  }
}

// A failed COMMIT leaves no system error with the connection, but the file that could not be written keeps it.
int CauseOfFailedWrite(sqlite3* db) {
  for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    int cause = 0;
    if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || !file || !file->pMethods) continue;
    if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &cause) == SQLITE_OK && cause != 0) return cause;
  }
  return 0;
}

}  // namespace

absl::Status SqliteStatus(int result, sqlite3* db, std::string_view doing) {
  if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE) return absl::OkStatus();
  int system_error = 0;
  std::string message;
  if (db) {
    const int extended = sqlite3_extended_errcode(db);
    if ((extended & 0xff) == (result & 0xff)) result = extended;
    system_error = sqlite3_system_errno(db);
    if (system_error == 0 && result == SQLITE_IOERR_WRITE) system_error = CauseOfFailedWrite(db);
    if (const char* file = sqlite3_db_filename(db, "main"); file && *file) message = "\"" + Printable(file) + "\": ";
  }
  message += std::string(doing) + ": ";
  message += db && (sqlite3_errcode(db) & 0xff) == (result & 0xff) ? sqlite3_errmsg(db) : sqlite3_errstr(result);
  const bool input_output =
      (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN || (result & 0xff) == SQLITE_FULL;
  if (input_output && system_error != 0) message += std::string(" (") + std::strerror(system_error) + ")";
  const SqliteMeaning meaning = MeaningOfSqlite(result, input_output ? system_error : 0);
  return Error(meaning.status, meaning.code, message);
}

}  // namespace grym
