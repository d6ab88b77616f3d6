#include "store/preflight.h"

#include <sqlite3.h>

#include <array>
#include <cstring>
#include <memory>

#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "store/sqlite_status.h"

namespace grym {
namespace {

struct CloseSqlite {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, CloseSqlite>;

std::string QuotedStore(const std::filesystem::path& path) { return "\"" + Printable(path.string()) + "\""; }

std::filesystem::path Beside(const std::filesystem::path& path, const char* suffix) {
  std::filesystem::path beside = path;
  beside += suffix;
  return beside;
}

int64_t BytesOf(const std::filesystem::path& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

absl::StatusOr<Connection> Probe(const std::filesystem::path& path, int flags, const DatabaseOptions& options) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(path.string().c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX,
                                     options.vfs.empty() ? nullptr : options.vfs.c_str());
  Connection connection(raw);
  if (result != SQLITE_OK) return SqliteStatus(result, raw, "opening " + QuotedStore(path));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);  // or closing would write the file
  return connection;
}

// Big-endian numbers of the header (sqlite.org/fileformat.html, section 1.3).
struct StoreHeader {
  std::array<unsigned char, 100> bytes{};
  uint32_t Number(size_t at) const {
    return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
  }
  int64_t page_bytes() const {
    const int64_t stored = int64_t{bytes[16]} << 8 | bytes[17];
    return stored == 1 ? 65536 : stored;
  }
  int64_t pages() const { return Number(28); }
  bool pages_valid() const { return Number(24) == Number(92) && pages() > 0; }
  int32_t version() const { return static_cast<int32_t>(Number(60)); }
  int32_t application_id() const { return static_cast<int32_t>(Number(68)); }
};

absl::StatusOr<StoreHeader> ReadStoreHeader(const std::filesystem::path& path, const DatabaseOptions& options) {
  GRYM_ASSIGN_OR_RETURN(const Connection connection, Probe(path, SQLITE_OPEN_READONLY, options));
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  StoreHeader header;
  int result = file && file->pMethods ? SQLITE_OK : SQLITE_CANTOPEN;
  if (result == SQLITE_OK)
    result = file->pMethods->xRead(file, header.bytes.data(), static_cast<int>(header.bytes.size()), 0);
  if (result == SQLITE_IOERR_SHORT_READ) {
    return Error(absl::StatusCode::kDataLoss, "store_foreign",
                 QuotedStore(path) + ": want a store, got a file of less than 100 bytes");
  }
  if (result != SQLITE_OK) return SqliteStatus(result, nullptr, "reading the header of " + QuotedStore(path));
  return header;
}

absl::Status CheckShape(const std::filesystem::path& path, const StoreHeader& header, int64_t bytes) {
  const int64_t page = header.page_bytes();
  if (page < 512 || page > 65536 || (page & (page - 1)) != 0) {
    return Error(absl::StatusCode::kDataLoss, "store_damaged",
                 Formatted("%s: want a page size of 512 to 65536, got %d", QuotedStore(path), page));
  }
  if (header.pages_valid() && bytes < header.pages() * page) {
    return Error(absl::StatusCode::kDataLoss, "store_damaged",
                 Formatted("%s: want %d bytes as its header says, got %d: it was cut off", QuotedStore(path),
                                 header.pages() * page, bytes));
  }
  return absl::OkStatus();
}

// A journal with frames in it: its owner either lives, then the exclusive lock is refused, or ended without closing.
absl::StatusOr<bool> LeftBehind(const std::filesystem::path& path, const Schema& schema,
                                const DatabaseOptions& options) {
  GRYM_ASSIGN_OR_RETURN(const Connection connection, Probe(path, SQLITE_OPEN_READWRITE, options));
  if (sqlite3_db_readonly(connection.get(), "main") == 1) {
    return Error(absl::StatusCode::kPermissionDenied, "store_read_only",
                 QuotedStore(path) + ": want a file to write, got a read-only one");
  }
  sqlite3_exec(connection.get(), "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr);
  const absl::StatusOr<int64_t> version = ReadPragma(connection.get(), "PRAGMA user_version");
  if (!version.ok()) {
    if (version.status().code() == absl::StatusCode::kUnavailable && ErrorCode(version.status()) == "store_busy")
      return false;
    return version.status();
  }
  GRYM_ASSIGN_OR_RETURN(const int64_t owner, ReadPragma(connection.get(), "PRAGMA application_id"));
  GRYM_RETURN_IF_ERROR(CheckIdentity(path, schema, owner, *version));
  return true;
}

}  // namespace

absl::StatusOr<int64_t> ReadPragma(sqlite3* db, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  int result = sqlite3_prepare_v2(db, sql, -1, &raw, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, &sqlite3_finalize);
  if (result == SQLITE_OK) result = sqlite3_step(raw);
  if (result != SQLITE_ROW) return SqliteStatus(result == SQLITE_DONE ? SQLITE_ERROR : result, db, sql);
  return sqlite3_column_int64(raw, 0);
}

absl::Status CheckIdentity(const std::filesystem::path& path, const Schema& schema, int64_t application_id,
                           int64_t version) {
  if (application_id != schema.application_id) {
    return Error(absl::StatusCode::kDataLoss, "store_foreign",
                 Formatted("%s: want a %s (application id %08x), got another program's SQLite file (%08x)",
                                 QuotedStore(path), schema.name, static_cast<uint32_t>(schema.application_id),
                                 static_cast<uint32_t>(application_id)));
  }
  const int64_t newest = static_cast<int64_t>(schema.migrations.size());
  if (version > newest) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "store_newer",
        Formatted("%s: want a %s of schema version %d or older, got version %d: a newer grymsynth wrote it; "
                        "the file was left untouched",
                        QuotedStore(path), schema.name, newest, version));
  }
  if (version < 1) {
    return Error(absl::StatusCode::kDataLoss, "store_damaged",
                 Formatted("%s: want a schema version of 1 or more, got %d", QuotedStore(path), version));
  }
  return absl::OkStatus();
}

absl::StatusOr<Preflight> CheckFile(const std::filesystem::path& path, const Schema& schema,
                                    const DatabaseOptions& options) {
  Preflight found;
  const absl::StatusOr<int64_t> bytes = RegularFileSize(path);
  const bool journal = BytesOf(Beside(path, "-wal")) > 0;
  if (!bytes.ok() && bytes.status().code() != absl::StatusCode::kNotFound) return bytes.status();
  if (!bytes.ok() || *bytes == 0) {
    if (journal) {  // SQLite would throw the journal away
      return Error(absl::StatusCode::kDataLoss, "store_damaged",
                   QuotedStore(path) + ": want the file that its journal \"-wal\" belongs to, got " +
                       (bytes.ok() ? "an empty one" : "none"));
    }
    found.fresh = true;
    return found;
  }
  GRYM_ASSIGN_OR_RETURN(const StoreHeader header, ReadStoreHeader(path, options));
  if (std::memcmp(header.bytes.data(), "SQLite format 3", 16) != 0) {
    return Error(absl::StatusCode::kDataLoss, "store_foreign",
                 QuotedStore(path) + ": want a store, got a file of another kind");
  }
  // Cut off while it was being created, the only time there is a rollback journal: SQLite undoes the first transaction.
  const bool ours = header.application_id() == 0 || header.application_id() == schema.application_id;
  if (ours && header.version() <= static_cast<int32_t>(schema.migrations.size()) &&
      BytesOf(Beside(path, "-journal")) > 0) {
    found.fresh = true;
    return found;
  }
  // In WAL mode the newest version number may still be in the journal; an older one here is never wrong about the
  // owner.
  GRYM_RETURN_IF_ERROR(CheckIdentity(path, schema, header.application_id(), header.version()));
  if (journal) {
    GRYM_ASSIGN_OR_RETURN(found.unclean, LeftBehind(path, schema, options));
  } else {
    GRYM_RETURN_IF_ERROR(CheckShape(path, header, *bytes));
  }
  return found;
}

}  // namespace grym
