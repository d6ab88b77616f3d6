// How the readers of tokenizer files say what is wrong: "<file>: <what>".
#pragma once
#include <string>
#include <string_view>

#include "base/format.h"
#include "base/status.h"

namespace grym {

inline absl::Status DamagedTokenizer(std::string_view where, std::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "damaged_tokenizer", Formatted("%s: %s", where, what));
}
inline absl::Status BadTokenizer(std::string_view where, std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_tokenizer", Formatted("%s: %s", where, what));
}
inline absl::Status TooLargeTokenizer(std::string_view where, std::string_view what) {
  return Error(absl::StatusCode::kResourceExhausted, "too_large", Formatted("%s: %s", where, what));
}
inline absl::Status UnsupportedTokenizer(std::string_view where, std::string_view what) {
  return Error(absl::StatusCode::kUnimplemented, "unsupported_tokenizer",
               Formatted("%s: %s is not supported", where, what));
}

}  // namespace grym
