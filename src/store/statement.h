// One prepared SQL statement.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace grym {

// Parameters count from 1, columns from 0, as in SQLite. A failed Bind is reported by the next Step or Run.
//   GRYM_ASSIGN_OR_RETURN(Statement * find, db.Cached("SELECT body FROM run WHERE id = ?1"));
//   GRYM_ASSIGN_OR_RETURN(const bool found, find->BindText(1, id).Step());
// A statement left in the middle of its rows keeps a read lock: Reset() it (Run and the last Step do so themselves).
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& BindInt(int index, int64_t value);
  Statement& BindDouble(int index, double value);                    // NaN is kept as NULL by SQLite
  Statement& BindText(int index, std::string_view value);            // copied; may hold zero bytes
  Statement& BindBlob(int index, std::span<const std::byte> value);  // copied; empty stays a blob
  Statement& BindNull(int index);

  // True: a row is there to read. False: done, and the statement is reset (bindings stay).
  absl::StatusOr<bool> Step();
  // Steps to the end, ignoring rows, and resets.
  absl::Status Run();
  // Ready to be stepped again; bindings are cleared.
  void Reset();

  // Of the current row; a value of another type is converted as SQLite does, NULL reads as 0 or "".
  int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  std::span<const std::byte> Blob(int column) const;  // borrowed until the next Step or Reset
  bool IsNull(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement& Keep(int result);
  sqlite3_stmt* statement_ = nullptr;
  int bind_result_ = 0;
};

}  // namespace grym
