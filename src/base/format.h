// Text from a printf format that is checked at compile time.
#pragma once
#include <cstddef>
#include <string>

#include "absl/strings/str_format.h"

namespace grym {

// As absl::StrFormat, which fills its string from a destructor: an allocation that fails there ends the process. Here
// it throws std::bad_alloc, as making any other string does.
template <class... Args>
std::string Formatted(const absl::FormatSpec<Args...>& format, const Args&... args) {
  char buffer[512];
  const auto length = static_cast<size_t>(absl::SNPrintF(buffer, sizeof(buffer), format, args...));
  if (length < sizeof(buffer)) return std::string(buffer, length);
  std::string text(length, '\0');
  absl::SNPrintF(text.data(), length + 1, format, args...);
  return text;
}

}  // namespace grym
