// Status with a stable code and problems, and the two macros that pass one on.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/error.h"

#define GRYM_CONCAT_INNER(a, b) a##b
#define GRYM_CONCAT(a, b) GRYM_CONCAT_INNER(a, b)
#define GRYM_RETURN_IF_ERROR(expr)                     \
  do {                                                 \
    if (absl::Status grym_status_ = (expr); !grym_status_.ok()) return grym_status_; \
  } while (false)
#define GRYM_ASSIGN_OR_RETURN(lhs, expr) GRYM_ASSIGN_OR_RETURN_INNER(GRYM_CONCAT(grym_or_, __COUNTER__), lhs, expr)
#define GRYM_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return std::move(tmp).status();    \
  lhs = std::move(tmp).value()

namespace grym {

// A status whose ErrorCode() is `code`. The message is cleaned (Printable) and cut to under 4,000 characters.
absl::Status Error(absl::StatusCode status, std::string_view code, std::string_view message);
// InvalidArgument that carries `problems` (at most 100 are kept); the message names the first and counts the rest.
absl::Status ProblemsError(std::string_view code, std::string_view what, const std::vector<Problem>& problems);
// The same status with "<where>: " in front of its message; code and problems are kept.
absl::Status Annotate(const absl::Status& status, std::string_view where);

// Text from files or callers made safe for messages and logs: control characters and bad UTF-8 become '?', and more
// than `limit` bytes end in "...".
std::string Printable(std::string_view text, size_t limit = 200);
// Joins with a separator; Debian's Abseil cannot take std::string_view in StrJoin.
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace grym
