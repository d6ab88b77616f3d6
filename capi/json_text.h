// JSON text in and out, for the few documents that only the C ABI writes or reads.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/error.h"

namespace grym::capi {

// Builds one document, value after value; commas come by themselves.
class JsonText {
 public:
  JsonText& Begin(char bracket);  // '{' or '['
  JsonText& End(char bracket);    // '}' or ']'
  JsonText& Key(std::string_view key);
  JsonText& Text(std::string_view value);
  JsonText& Number(double value);  // shortest that reads back the same; null for NaN and infinities
  JsonText& Integer(int64_t value);
  JsonText& Bool(bool value);
  JsonText& Raw(std::string_view json);  // "" becomes null
  std::string Take() { return std::move(text_); }

 private:
  void Comma();
  std::string text_;
  bool first_ = true;
};

std::string ProblemsJson(const std::vector<Problem>& problems);

// The members of a JSON object as raw texts by name: {"a": [1, 2]} gives {"a", "[1, 2]"}. InvalidArgument, naming
// `what` and the byte, for text that is no object or names a member twice. Values are split here, not judged: whoever
// takes them parses them in full.
absl::StatusOr<std::map<std::string, std::string>> JsonMembers(std::string_view json, std::string_view what);
// The text of a raw JSON string. InvalidArgument for anything else.
absl::StatusOr<std::string> JsonString(std::string_view json, std::string_view what);

}  // namespace grym::capi
