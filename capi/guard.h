// The edge of the C ABI: no exception leaves, and the error of a failed call is kept for its thread.
#pragma once
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth.h"

#define GRYM_C_RETURN_IF_ERROR(expr)                                       \
  do {                                                                     \
    if (absl::Status grym_status_ = (expr); !grym_status_.ok()) return grym_status_; \
  } while (false)
#define GRYM_C_CONCAT_INNER(a, b) a##b
#define GRYM_C_CONCAT(a, b) GRYM_C_CONCAT_INNER(a, b)
#define GRYM_C_ASSIGN_OR_RETURN(lhs, expr) \
  GRYM_C_ASSIGN_OR_RETURN_INNER(GRYM_C_CONCAT(grym_or_, __COUNTER__), lhs, expr)
#define GRYM_C_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                  \
  if (!tmp.ok()) return std::move(tmp).status();      \
  lhs = std::move(tmp).value()

namespace grym::capi {

// An error as C sees it.
struct ErrorTexts {
  std::string message;        // "" when there is none
  std::string code = "ok";
  std::string problems = "[]";  // JSON
};
ErrorTexts TextsOf(const absl::Status& status);

void ClearLastError() noexcept;
// For grym_last_warnings.
void SetLastWarnings(const std::vector<std::string>& warnings);
// Keeps the error and answers its number. Never throws: when there is no memory for the words, fixed ones stand in.
grym_status SetLastError(const absl::Status& status) noexcept;
// Says which exception is on its way; only inside a catch block.
grym_status SetLastErrorFromException() noexcept;
// The same as a Status, for work on a job's thread.
absl::Status StatusFromException();

// Runs `body`, which returns absl::Status.
template <class Body>
grym_status Guard(Body body) noexcept {
  ClearLastError();
  try {
    const absl::Status status = body();
    return status.ok() ? GRYM_STATUS_OK : SetLastError(status);
  } catch (...) {
    return SetLastErrorFromException();
  }
}

// Runs `body`, which returns absl::StatusOr<T>; `fallback` after an error.
template <class T, class Body>
T GuardValue(T fallback, Body body) noexcept {
  ClearLastError();
  try {
    absl::StatusOr<T> value = body();
    if (value.ok()) return *std::move(value);
    SetLastError(value.status());
  } catch (...) {
    SetLastErrorFromException();
  }
  return fallback;
}

// What came, for a message: a long text is cut, and what is no UTF-8 or a control character is shown as '?'.
std::string Shown(std::string_view text);

inline absl::Status Bad(const std::string& message) { return absl::InvalidArgumentError(message); }

// InvalidArgument that names the argument unless it is set.
inline absl::Status CheckSet(const void* pointer, const char* name) {
  return pointer ? absl::OkStatus() : Bad(std::string(name) + ": want a value, got NULL");
}
// Checks an out parameter and clears what it points to.
template <class T>
absl::Status ClearOut(T** out, const char* name = "out") {
  GRYM_C_RETURN_IF_ERROR(CheckSet(out, name));
  *out = nullptr;
  return absl::OkStatus();
}
inline absl::Status CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return absl::OkStatus();
  return Bad(std::string(what) + ": want an index below " + std::to_string(count) + ", got " + std::to_string(index));
}

}  // namespace grym::capi
