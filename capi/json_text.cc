#include "json_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "guard.h"

namespace grym::capi {
namespace {

constexpr int kMaxDepth = 64;

std::string Quoted(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Walks over one document; every method answers false where the text is not what it should be.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}
  size_t at() const { return at_; }
  bool AtEnd() const { return at_ == text_.size(); }
  void Space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool Eat(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool String(std::string& out) {
    if (!Eat('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
      } else if (!Escape(out)) {
        return false;
      }
    }
    return false;
  }
  // Any value, by its brackets and strings.
  bool Value() {
    const size_t start = at_;
    std::string closers, ignored;
    do {
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!String(ignored)) return false;
        continue;
      }
      if (closers.empty() && (c == ',' || c == '}' || c == ']')) break;
      ++at_;
      if (c == '{' || c == '[') closers += c == '{' ? '}' : ']';
      if (closers.size() > kMaxDepth) return false;
      if (c == '}' || c == ']') {
        if (closers.back() != c) return false;
        closers.pop_back();
      }
    } while (!closers.empty() || (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}'));
    return at_ > start;
  }
  std::string_view Since(size_t start) const {
    size_t end = at_;
    while (end > start && std::string_view(" \t\r\n").find(text_[end - 1]) != std::string_view::npos) --end;
    return text_.substr(start, end - start);
  }

 private:
  bool Hex4(uint32_t& code) {
    if (text_.size() - at_ < 4) return false;
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, first + 4, code, 16);
    at_ += 4;
    return error == std::errc() && end == first + 4;
  }
  bool Escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (const size_t which = kNames.find(c); which != std::string_view::npos) {
      out += kValues[which];
      return true;
    }
    uint32_t code = 0, low = 0;
    if (c != 'u' || !Hex4(code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return false;
    if (code >= 0xd800 && code < 0xdc00) {
      if (!Eat('\\') || !Eat('u') || !Hex4(low) || low < 0xdc00 || low >= 0xe000) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    AppendUtf8(code, out);
    return true;
  }
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

void JsonText::Comma() {
  if (!first_) text_ += ',';
  first_ = false;
}
JsonText& JsonText::Begin(char bracket) {
  Comma();
  text_ += bracket;
  first_ = true;
  return *this;
}
JsonText& JsonText::End(char bracket) {
  text_ += bracket;
  first_ = false;
  return *this;
}
JsonText& JsonText::Key(std::string_view key) {
  Comma();
  text_ += Quoted(key) + ':';
  first_ = true;
  return *this;
}
JsonText& JsonText::Text(std::string_view value) { return Raw(Quoted(value)); }
JsonText& JsonText::Number(double value) {
  if (!std::isfinite(value)) return Raw("null");
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  return Raw(error == std::errc() ? std::string_view(digits, static_cast<size_t>(end - digits)) : "null");
}
JsonText& JsonText::Integer(int64_t value) { return Raw(std::to_string(value)); }
JsonText& JsonText::Bool(bool value) { return Raw(value ? "true" : "false"); }
JsonText& JsonText::Raw(std::string_view json) {
  Comma();
  text_ += json.empty() ? std::string_view("null") : json;
  return *this;
}

std::string ProblemsJson(const std::vector<Problem>& problems) {
  JsonText json;
  json.Begin('[');
  for (const Problem& problem : problems) {
    json.Begin('{').Key("pointer").Text(problem.pointer).Key("code").Text(problem.code);
    json.Key("message").Text(problem.message).Key("hint").Text(problem.hint).End('}');
  }
  return json.End(']').Take();
}

absl::StatusOr<std::map<std::string, std::string>> JsonMembers(std::string_view json, std::string_view what) {
  std::map<std::string, std::string> members;
  Walker walker(json);
  const auto wrong = [&](const std::string& wanted) {
    return Bad(std::string(what) + ": want " + wanted + " at byte " + std::to_string(walker.at()));
  };
  walker.Space();
  if (!walker.Eat('{')) return wrong("a JSON object");
  walker.Space();
  bool more = !walker.Eat('}');
  while (more) {
    walker.Space();
    std::string key;
    if (!walker.String(key)) return wrong("a member name");
    walker.Space();
    if (!walker.Eat(':')) return wrong("':'");
    walker.Space();
    const size_t start = walker.at();
    if (!walker.Value()) return wrong("a value");
    if (!members.emplace(key, std::string(walker.Since(start))).second) {
      return wrong("every member once, got a second one of the same name");
    }
    walker.Space();
    more = walker.Eat(',');
    if (!more && !walker.Eat('}')) return wrong("',' or '}'");
  }
  walker.Space();
  if (!walker.AtEnd()) return wrong("the end");
  return members;
}

absl::StatusOr<std::string> JsonString(std::string_view json, std::string_view what) {
  Walker walker(json);
  std::string text;
  if (!walker.String(text) || !walker.AtEnd()) return Bad(std::string(what) + ": want a JSON string");
  return text;
}

}  // namespace grym::capi
