#include "text/json_scanner.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "base/number_text.h"
#include "base/status.h"
#include "base/utf8.h"
#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {

absl::Status JsonScanner::Fail(std::string_view wanted) const {
  return DamagedTokenizer(where_, Formatted("byte %d of %d: want %s", at_, text_.size(), wanted));
}

void JsonScanner::SkipSpace() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
}

char JsonScanner::Next() {
  SkipSpace();
  return at_ < text_.size() ? text_[at_] : '\0';
}

absl::Status JsonScanner::Deeper() {
  if (++depth_ > kTokenizerJsonDepth) return Fail(Formatted("at most %d brackets around a value", kTokenizerJsonDepth));
  return absl::OkStatus();
}

absl::Status JsonScanner::Object(const std::function<absl::Status(const std::string& key)>& member) {
  if (Next() != '{') return Fail("an object");
  GRYM_RETURN_IF_ERROR(Deeper());
  ++at_;
  std::string key;
  for (bool first = true; Next() != '}'; first = false) {
    if (!first) {
      if (Next() != ',') return Fail("a comma or a brace");
      ++at_;
      if (Next() != '"') return Fail("a member's name");
    }
    GRYM_RETURN_IF_ERROR(String(key));
    if (Next() != ':') return Fail("a colon");
    ++at_;
    GRYM_RETURN_IF_ERROR(member(key));
  }
  ++at_;
  --depth_;
  return absl::OkStatus();
}

absl::Status JsonScanner::Array(const std::function<absl::Status()>& item) {
  if (Next() != '[') return Fail("an array");
  GRYM_RETURN_IF_ERROR(Deeper());
  ++at_;
  for (bool first = true; Next() != ']'; first = false) {
    if (!first) {
      if (Next() != ',') return Fail("a comma or a bracket");
      ++at_;
      if (Next() == ']') return Fail("a value");
    }
    GRYM_RETURN_IF_ERROR(item());
  }
  ++at_;
  --depth_;
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> JsonScanner::Hex4() {
  uint32_t value = 0;
  const size_t left = std::min<size_t>(4, text_.size() - at_);
  const auto [stop, failed] = std::from_chars(text_.data() + at_, text_.data() + at_ + left, value, 16);
  if (failed != std::errc() || stop != text_.data() + at_ + 4) return Fail("four hexadecimal digits");
  at_ += 4;
  return value;
}

// After the backslash.
absl::Status JsonScanner::Escape(std::string& out) {
  static constexpr std::string_view kShort = "\"\\/bfnrt", kMeaning = "\"\\/\b\f\n\r\t";
  if (at_ == text_.size()) return Fail("an escaped character");
  const char kind = text_[at_++];
  if (const size_t index = kShort.find(kind); index != kShort.npos) {
    out += kMeaning[index];
    return absl::OkStatus();
  }
  if (kind != 'u') return Fail("an escaped character");
  GRYM_ASSIGN_OR_RETURN(uint32_t value, Hex4());
  if (value >= 0xD800 && value < 0xDC00) {
    if (text_.substr(at_, 2) != "\\u") return Fail("the second half of a surrogate pair");
    at_ += 2;
    GRYM_ASSIGN_OR_RETURN(const uint32_t low, Hex4());
    if (low < 0xDC00 || low > 0xDFFF) return Fail("the second half of a surrogate pair");
    value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
  } else if (value >= 0xDC00 && value < 0xE000) {
    return Fail("the first half of a surrogate pair");
  }
  AppendCodePoint(value, out);
  return absl::OkStatus();
}

absl::Status JsonScanner::String(std::string& out) {
  if (Next() != '"') return Fail("a string");
  ++at_;
  out.clear();
  while (true) {
    const size_t begin = at_;
    while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x20 && text_[at_] != '"' &&
           text_[at_] != '\\')
      ++at_;
    const std::string_view plain = text_.substr(begin, at_ - begin);
    if (!IsUtf8(plain)) return Fail("UTF-8 up to here");
    out.append(plain);
    if (at_ == text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) return Fail("the end of a string");
    if (text_[at_++] == '"') return absl::OkStatus();
    GRYM_RETURN_IF_ERROR(Escape(out));
  }
}

// Grammar of RFC 8259: -? (0 | [1-9] digits) (. digits)? ([eE] [+-]? digits)?
absl::StatusOr<std::string_view> JsonScanner::NumberText() {
  SkipSpace();
  const size_t begin = at_;
  const auto digits = [&] {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - from;
  };
  const auto is = [&](char a, char b) { return at_ < text_.size() && (text_[at_] == a || text_[at_] == b); };
  if (is('-', '-')) ++at_;
  const bool zero = is('0', '0');
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return Fail("a number");
  if (is('.', '.')) {
    ++at_;
    if (digits() == 0) return Fail("a number");
  }
  if (is('e', 'E')) {
    ++at_;
    if (is('+', '-')) ++at_;
    if (digits() == 0) return Fail("a number");
  }
  if (at_ - begin > JsonLimits().number_chars) return Fail("a number of at most 64 characters");
  return text_.substr(begin, at_ - begin);
}

absl::StatusOr<int64_t> JsonScanner::Integer() {
  GRYM_ASSIGN_OR_RETURN(const std::string_view digits, NumberText());
  int64_t value = 0;
  const auto [stop, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc() || stop != digits.data() + digits.size()) return Fail("a whole number of 64 bits");
  return value;
}

absl::StatusOr<double> JsonScanner::Number() {
  GRYM_ASSIGN_OR_RETURN(const std::string_view digits, NumberText());
  const std::optional<double> value = ParseNumber(digits);
  if (!value) return Fail("a number in the range of a double");
  return *value;
}

absl::StatusOr<bool> JsonScanner::Boolean() {
  SkipSpace();
  for (const std::string_view word : {"true", "false"}) {
    if (text_.substr(at_, word.size()) != word) continue;
    at_ += word.size();
    return word == "true";
  }
  return Fail("true or false");
}

bool JsonScanner::Null() {
  SkipSpace();
  if (text_.substr(at_, 4) != "null") return false;
  at_ += 4;
  return true;
}

absl::Status JsonScanner::SkipString() {
  std::string ignored;
  return String(ignored);
}

absl::Status JsonScanner::Skip() {
  switch (Next()) {
    case '{': return Object([this](const std::string&) { return Skip(); });
    case '[': return Array([this] { return Skip(); });
    case '"': return SkipString();
    case 't':
    case 'f': return Boolean().status();
    case 'n': return Null() ? absl::OkStatus() : Fail("a value");
    default: return NumberText().status();
  }
}

absl::StatusOr<Json> JsonScanner::Tree(size_t limit) {
  SkipSpace();
  const size_t begin = at_;
  GRYM_RETURN_IF_ERROR(Skip());
  if (at_ - begin > limit)
    return TooLargeTokenizer(where_, Formatted("byte %d: want at most %d bytes, got %d", begin, limit, at_ - begin));
  JsonLimits limits;
  limits.bytes = limits.string_bytes = limit;
  absl::StatusOr<Json> tree = Json::Parse(text_.substr(begin, at_ - begin), limits);
  if (!tree.ok())
    return BadTokenizer(where_, Formatted("from byte %d: %s", begin, std::string(tree.status().message())));
  return tree;
}

absl::Status JsonScanner::End() { return Next() == '\0' && at_ == text_.size() ? absl::OkStatus() : Fail("the end"); }

}  // namespace grym
