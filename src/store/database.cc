#include "store/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/format.h"
#include "base/status.h"
#include "store/preflight.h"
#include "store/sqlite_status.h"

namespace grym {
namespace {

absl::Status ClosedError(const std::filesystem::path& path) {
  return Error(absl::StatusCode::kFailedPrecondition, "store_closed",
               "\"" + Printable(path.string()) + "\": want an open store, got a closed one");
}

}  // namespace

Database::Database(std::filesystem::path path) : path_(std::move(path)) {}

Database::~Database() { (void)Close(); }

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& given, const Schema& schema,
                                                         const DatabaseOptions& options) {
  if (given.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file", schema.name + ": want a path, got an empty one");
  }
  // Absolute, since SQLite has a meaning of its own for ":memory:", and for where the program goes meanwhile.
  std::error_code unknown;
  const std::filesystem::path path = std::filesystem::absolute(given, unknown);
  if (unknown) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file",
                 "\"" + Printable(given.string()) + "\": its folder cannot be told: " + unknown.message());
  }
  GRYM_ASSIGN_OR_RETURN(const Preflight found, CheckFile(path, schema, options));
  if (found.fresh && path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) {
      return Error(absl::StatusCode::kPermissionDenied, "store_read_only",
                   "\"" + Printable(path.string()) + "\": its folder cannot be made: " + error.message());
    }
  }
  std::unique_ptr<Database> database(new Database(path));
  GRYM_RETURN_IF_ERROR(database->Connect(schema, options));
  if (!found.fresh) {
    // Until the owner is known and the file found whole, closing must not move the journal into it.
    sqlite3_db_config(database->db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    GRYM_RETURN_IF_ERROR(database->CheckOwner(schema));
    database->was_unclean_ = found.unclean;
    if (found.unclean || options.full_check) GRYM_RETURN_IF_ERROR(database->CheckIntegrity());
    sqlite3_db_config(database->db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  }
  GRYM_RETURN_IF_ERROR(database->Migrate(schema));
  GRYM_RETURN_IF_ERROR(database->EnterWal(options));
  return database;
}

absl::Status Database::Connect(const Schema& schema, const DatabaseOptions& options) {
  const int result =
      sqlite3_open_v2(path_.string().c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (result != SQLITE_OK) return SqliteStatus(result, db_, "opening the " + schema.name);
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, options.busy_timeout_ms);
  if (sqlite3_db_readonly(db_, "main") == 1) {
    return Error(absl::StatusCode::kPermissionDenied, "store_read_only",
                 "\"" + Printable(path_.string()) + "\": want a file to write, got a read-only one");
  }
  // A hostile file's schema runs no functions of its own, and damaged cells are noticed when a page is read.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return Execute(Formatted(
      "PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA cache_size=-%d;"
      "PRAGMA fullfsync=%d; PRAGMA checkpoint_fullfsync=1; PRAGMA synchronous=%s;",
      std::max<int64_t>(options.cache_bytes / 1024, 64), options.durability == Durability::kFull ? 1 : 0,
      options.durability == Durability::kFull ? "FULL" : "NORMAL"));
}

absl::Status Database::CheckOwner(const Schema& schema) {
  GRYM_ASSIGN_OR_RETURN(const int64_t owner, ReadPragma(db_, "PRAGMA application_id"));
  GRYM_ASSIGN_OR_RETURN(const int64_t version, ReadPragma(db_, "PRAGMA user_version"));
  return CheckIdentity(path_, schema, owner, version);
}

// Creation runs with a rollback journal and puts application id, version and tables into one commit: a file with our id
// in its header is a whole store, at any moment. Only then the file becomes a WAL one.
absl::Status Database::Migrate(const Schema& schema) {
  const int newest = static_cast<int>(schema.migrations.size());
  GRYM_ASSIGN_OR_RETURN(int64_t version, ReadPragma(db_, "PRAGMA user_version"));
  if (version < newest) {
    GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*this));
    GRYM_ASSIGN_OR_RETURN(version, ReadPragma(db_, "PRAGMA user_version"));  // another process may have been first
    if (version == 0) {
      GRYM_ASSIGN_OR_RETURN(const int64_t tables, ReadPragma(db_, "SELECT count(*) FROM sqlite_schema"));
      GRYM_ASSIGN_OR_RETURN(const int64_t owner, ReadPragma(db_, "PRAGMA application_id"));
      if (tables != 0 || owner != 0) {
        return Error(
            absl::StatusCode::kDataLoss, "store_foreign",
            "\"" + Printable(path_.string()) + "\": want a " + schema.name + ", got another program's SQLite file");
      }
      GRYM_RETURN_IF_ERROR(Execute(Formatted("PRAGMA application_id=%d", schema.application_id)));
    }
    for (int64_t step = version; step < newest; ++step) {
      GRYM_RETURN_IF_ERROR(
          Annotate(Execute(schema.migrations[static_cast<size_t>(step)]), Formatted("migration %d", step + 1)));
    }
    if (version < newest) GRYM_RETURN_IF_ERROR(Execute(Formatted("PRAGMA user_version=%d", newest)));
    GRYM_RETURN_IF_ERROR(transaction.Commit());
  }
  schema_version_ = newest;
  return CheckOwner(schema);
}

absl::Status Database::EnterWal(const DatabaseOptions& options) {
  // SQLite does not call the busy handler here when another process is just opening the same file.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(options.busy_timeout_ms);
  while (true) {
    absl::Status status = Execute("PRAGMA journal_mode=WAL");
    const bool busy =
        !status.ok() && status.code() == absl::StatusCode::kUnavailable && ErrorCode(status) == "store_busy";
    if (!busy || std::chrono::steady_clock::now() >= give_up) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

absl::Status Database::RequireOpen() {
  if (!db_) return ClosedError(path_);
  if (!owes_rollback_) return absl::OkStatus();
  RollBack();
  return owes_rollback_ ? SqliteStatus(SQLITE_NOMEM, nullptr, "rolling back what failed before") : absl::OkStatus();
}

// Runs in destructors, so it makes no words and throws nothing.
void Database::RollBack() noexcept {
  if (!db_) return;
  // After some errors SQLite has rolled back by itself. A rollback itself fails only where memory is short.
  if (!sqlite3_get_autocommit(db_)) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  owes_rollback_ = !sqlite3_get_autocommit(db_);
}

absl::Status Database::Execute(const std::string& sql) {
  GRYM_RETURN_IF_ERROR(RequireOpen());
  const int result = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  // Words only for a failure: a commit that was made must not be lost to the making of words.
  if (result == SQLITE_OK) return absl::OkStatus();
  return SqliteStatus(result, db_, "\"" + Printable(sql, 80) + "\"");
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  GRYM_RETURN_IF_ERROR(RequireOpen());
  sqlite3_stmt* raw = nullptr;
  const int result =
      sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return SqliteStatus(result, db_, "preparing \"" + Printable(sql, 80) + "\"");
  return Statement(raw);
}

absl::StatusOr<Statement*> Database::Cached(std::string_view sql) {
  GRYM_RETURN_IF_ERROR(RequireOpen());
  auto found = cached_.find(sql);
  if (found == cached_.end()) {
    GRYM_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
    found = cached_.emplace(std::string(sql), std::move(statement)).first;
  }
  found->second.Reset();
  return &found->second;
}

int64_t Database::last_insert_id() const { return db_ ? sqlite3_last_insert_rowid(db_) : 0; }

int64_t Database::changes() const { return db_ ? sqlite3_changes(db_) : 0; }

absl::Status Database::CheckIntegrity() {
  GRYM_ASSIGN_OR_RETURN(Statement check, Prepare("PRAGMA integrity_check(5)"));
  std::string findings;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, check.Step());
    if (!row) break;
    findings += (findings.empty() ? "" : "; ") + check.Text(0);
  }
  if (findings == "ok") return absl::OkStatus();
  // A page that cannot be read now may be a good one.
  constexpr std::string_view kUnread = "unable to get the page. error code=";
  if (const size_t at = findings.find(kUnread); at != std::string::npos) {
    const absl::Status unread = SqliteStatus(std::atoi(findings.c_str() + at + kUnread.size()), nullptr,
                                             "\"" + Printable(path_.string()) + "\": the integrity check");
    if (!unread.ok() && unread.code() != absl::StatusCode::kDataLoss) return unread;
  }
  return Error(absl::StatusCode::kDataLoss, "store_damaged",
               "\"" + Printable(path_.string()) +
                   "\": want a whole store, the integrity check found: " + Printable(findings, 1000));
}

absl::Status Database::Checkpoint() { return Execute("PRAGMA wal_checkpoint(PASSIVE)"); }

int64_t Database::file_bytes() const {
  int64_t total = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::path file = path_;
    file += suffix;
    std::error_code error;
    const auto bytes = std::filesystem::file_size(file, error);
    if (!error) total += static_cast<int64_t>(bytes);
  }
  return total;
}

absl::Status Database::Close() {
  if (!db_) return absl::OkStatus();
  cached_.clear();
  // The last connection moves the journal into the file and removes it. A statement that outlives its database keeps
  // the connection alive until it ends, which is harmless.
  const int result = sqlite3_close_v2(db_);
  db_ = nullptr;
  if (result == SQLITE_OK) return absl::OkStatus();
  return SqliteStatus(result, nullptr, "closing \"" + Printable(path_.string()) + "\"");
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  GRYM_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(&database);
}

absl::StatusOr<Transaction> Transaction::BeginReading(Database& database) {
  GRYM_RETURN_IF_ERROR(database.Execute("BEGIN"));
  return Transaction(&database);
}

Transaction::~Transaction() {
  if (database_) database_->RollBack();
}

absl::Status Transaction::Commit() {
  if (!database_) return Error(absl::StatusCode::kFailedPrecondition, "store_closed", "transaction: committed already");
  absl::Status status = database_->Execute("COMMIT");
  if (!status.ok()) return status;  // the destructor rolls back
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace grym
