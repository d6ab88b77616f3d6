// One SQLite file as a store: checked before it is touched, migrated, durable, with errors as Status.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/statement.h"

struct sqlite3;

namespace grym {

// Who owns a file and how it grew. `migrations[i]` is SQL (several statements allowed) that takes schema version i to
// i + 1; the newest version is migrations.size(). Published entries never change; new ones go to the end.
struct Schema {
  std::string name;            // for messages: "pattern memory"
  int32_t application_id = 0;  // nonzero; stands in the file's header (SQLite's PRAGMA application_id)
  std::vector<std::string> migrations;
};

enum class Durability {
  kFull,    // a commit that returned survives power loss (WAL, synchronous = FULL)
  kNormal,  // it survives kill -9; power loss may take the last commits, never damage the file
};

struct DatabaseOptions {
  Durability durability = Durability::kFull;
  int busy_timeout_ms = 5000;  // how long a call waits for another process; then Unavailable
  bool full_check = false;     // run the full integrity check at open even after a clean end
  int64_t cache_bytes = int64_t{8} << 20;
  std::string vfs;  // SQLite VFS by name, "" for the platform's; fault tests put theirs here
};

// Threads: one at a time; the owner locks. Statements and transactions end before their database.
class Database {
 public:
  // Creates the file (and its folder) if absent or empty. Before anything is written, header, owner and schema version
  // are checked, so in each of these cases the file stays as it is, byte for byte:
  //   FailedPrecondition "store_newer"      the schema version is above ours
  //   DataLoss           "store_foreign"    no SQLite file, or another program's
  //   DataLoss           "store_damaged"    shorter than its header says, or the integrity check failed
  //   InvalidArgument    "not_a_file"       a folder, pipe or device, or no path at all
  //   PermissionDenied   "store_read_only"  cannot be written
  //   Unavailable        "store_busy"       another process kept it locked for busy_timeout_ms
  // The integrity check runs when asked, and by itself when the last owner ended without closing.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::filesystem::path& path, const Schema& schema,
                                                        const DatabaseOptions& options = {});
  ~Database();  // closes
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One or several statements without parameters or rows.
  absl::Status Execute(const std::string& sql);
  // A statement of the caller's own.
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // A statement prepared once per text and kept; it comes back reset, without bindings. Borrowed until Close; two
  // users of the same text at once would share it.
  absl::StatusOr<Statement*> Cached(std::string_view sql);
  int64_t last_insert_id() const;
  int64_t changes() const;  // rows changed by the last statement

  // DataLoss "store_damaged" with SQLite's first findings. Reads the whole file.
  absl::Status CheckIntegrity();
  // Moves the journal into the file as far as readers allow.
  absl::Status Checkpoint();
  int64_t file_bytes() const;  // file and journal
  int schema_version() const { return schema_version_; }
  bool was_unclean() const { return was_unclean_; }  // the last owner ended without closing
  const std::filesystem::path& path() const { return path_; }

  // Ends all cached statements and closes; further calls answer FailedPrecondition "store_closed". Harmless twice.
  absl::Status Close();
  bool closed() const { return db_ == nullptr; }
  sqlite3* handle() const { return db_; }  // null once closed

 private:
  explicit Database(std::filesystem::path path);
  absl::Status Connect(const Schema& schema, const DatabaseOptions& options);
  absl::Status CheckOwner(const Schema& schema);
  absl::Status EnterWal(const DatabaseOptions& options);
  absl::Status Migrate(const Schema& schema);
  absl::Status RequireOpen();
  friend class Transaction;
  void RollBack() noexcept;

  std::filesystem::path path_;
  sqlite3* db_ = nullptr;
  int schema_version_ = 0;
  bool was_unclean_ = false;
  bool owes_rollback_ = false;  // one failed, for want of memory; made up for before anything else
  std::map<std::string, Statement, std::less<>> cached_;
};

// BEGIN ... COMMIT; rolled back on destruction unless committed. One at a time per database.
class Transaction {
 public:
  // Unavailable "store_busy" when another process keeps writing.
  static absl::StatusOr<Transaction> Begin(Database& database);
  // Everything read until its end is of one moment.
  static absl::StatusOr<Transaction> BeginReading(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  // On failure everything is rolled back. A commit that reported failure may, after a disk error, still be found
  // after reopening: give records ids of their own so that repeating is harmless.
  absl::Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace grym
