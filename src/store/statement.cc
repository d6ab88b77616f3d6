#include "store/statement.h"

#include <sqlite3.h>

#include <new>
#include <utility>

#include "base/status.h"
#include "store/sqlite_status.h"

namespace grym {
namespace {

std::string ShortSql(sqlite3_stmt* statement) { return "\"" + Printable(sqlite3_sql(statement), 80) + "\""; }

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), bind_result_(std::exchange(other.bind_result_, 0)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(bind_result_, other.bind_result_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::Keep(int result) {
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
  return *this;
}

Statement& Statement::BindInt(int index, int64_t value) { return Keep(sqlite3_bind_int64(statement_, index, value)); }

Statement& Statement::BindDouble(int index, double value) {
  return Keep(sqlite3_bind_double(statement_, index, value));
}

Statement& Statement::BindText(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char* text = value.data() ? value.data() : "";
  return Keep(sqlite3_bind_text64(statement_, index, text, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::BindBlob(int index, std::span<const std::byte> value) {
  if (value.empty()) return Keep(sqlite3_bind_zeroblob(statement_, index, 0));
  return Keep(sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT));
}

Statement& Statement::BindNull(int index) { return Keep(sqlite3_bind_null(statement_, index)); }

absl::StatusOr<bool> Statement::Step() {
  if (!statement_)
    return Error(absl::StatusCode::kFailedPrecondition, "store_closed",
                 "statement: want one that is prepared, got an empty one");
  sqlite3* db = sqlite3_db_handle(statement_);
  if (bind_result_ != SQLITE_OK) {
    const int result = std::exchange(bind_result_, SQLITE_OK);
    Reset();
    return SqliteStatus(result, nullptr, "binding a parameter of " + ShortSql(statement_));
  }
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  absl::Status status;
  if (result != SQLITE_DONE) status = SqliteStatus(result, db, ShortSql(statement_));
  sqlite3_reset(statement_);
  if (!status.ok()) return status;
  return false;
}

absl::Status Statement::Run() {
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

void Statement::Reset() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_result_ = SQLITE_OK;
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::Text(int column) const {
  const bool null = IsNull(column);
  const unsigned char* text = sqlite3_column_text(statement_, column);
  const int bytes = sqlite3_column_bytes(statement_, column);
  // Without memory SQLite answers as it does for NULL.
  if (!text && !null) throw std::bad_alloc();
  return text ? std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(bytes)) : std::string();
}

std::span<const std::byte> Statement::Blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int bytes = sqlite3_column_bytes(statement_, column);
  if (!data && bytes > 0) throw std::bad_alloc();
  return {static_cast<const std::byte*>(data), data ? static_cast<size_t>(bytes) : 0};
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

}  // namespace grym
