#include "base/json.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

const Json kNull;
const std::string kNoText;
const Json::ArrayType kNoItems;
const Json::ObjectType kNoMembers;

// Builds a Json while nlohmann's lexer reads, so that duplicates and limits are caught where they stand and a million
// brackets cost nothing.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Put(Json()); }
  bool boolean(bool value) override { return Put(Json(value)); }
  bool number_integer(number_integer_t value) override { return Put(Json(static_cast<int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override { return Put(Json(static_cast<uint64_t>(value))); }
  bool number_float(number_float_t value, const string_t& token) override {
    if (token.size() > limits_.number_chars)
      return Fail("a number of more than " + std::to_string(limits_.number_chars) + " characters");
    if (!std::isfinite(value)) return Fail("a number outside the range of a double");
    return Put(Json(value));
  }
  bool string(string_t& value) override {
    if (value.size() > limits_.string_bytes)
      return Fail("a string of more than " + std::to_string(limits_.string_bytes) + " bytes");
    return Put(Json(std::move(value)));
  }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool start_object(std::size_t) override { return Open(Json::Object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Json::Array()); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (name.size() > limits_.string_bytes) return Fail("a member name that is too long");
    if (stack_.back().value.contains(name)) return Fail("duplicate member \"" + Printable(name) + "\"");
    stack_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    offset_ = position;
    // nlohmann's text starts with "[json.exception.parse_error.101] parse error at line 1, column 2: ".
    const std::string text = error.what();
    const size_t colon = text.find(": ");
    return Fail(colon == std::string::npos ? text : text.substr(colon + 2));
  }

  Json root;
  std::string problem;
  size_t offset() const { return offset_; }

 private:
  struct Level {
    Json value;
    std::string key;
  };
  bool Fail(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }
  bool Open(Json value) {
    if (static_cast<int>(stack_.size()) >= limits_.depth)
      return Fail("nesting deeper than " + std::to_string(limits_.depth));
    stack_.push_back({std::move(value), ""});
    return true;
  }
  bool Close() {
    Json done = std::move(stack_.back().value);
    stack_.pop_back();
    return Put(std::move(done));
  }
  bool Put(Json value) {
    if (stack_.empty()) {
      root = std::move(value);
    } else if (stack_.back().value.is_array()) {
      stack_.back().value.push_back(std::move(value));
    } else {
      stack_.back().value[stack_.back().key] = std::move(value);
    }
    return true;
  }

  const JsonLimits& limits_;
  std::vector<Level> stack_;
  size_t offset_ = 0;
};

void AppendString(const std::string& text, std::string& out) {
  out += '"';
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20) {
          out += Formatted("\\u%04x", byte);
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void AppendNumber(double value, std::string& out) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  const std::string_view text(digits, static_cast<size_t>(end.ptr - digits));
  out += text;
  // 1.0 stays a double when read back.
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

// Sign of a - b without rounding. `a` is an integer in [-2^63, 2^64).
int CompareIntDouble(bool negative, uint64_t magnitude, double b) {
  if (b >= 18446744073709551616.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const double whole = std::trunc(b);
  const bool b_negative = whole < 0;
  const uint64_t b_magnitude =
      b_negative ? (whole == -9223372036854775808.0 ? uint64_t{1} << 63 : static_cast<uint64_t>(-whole))
                 : static_cast<uint64_t>(whole);
  int order;
  if (negative != b_negative) {
    order = negative ? -1 : 1;
    if (magnitude == 0 && b_magnitude == 0) order = 0;
  } else {
    order = magnitude == b_magnitude ? 0 : (magnitude < b_magnitude) == negative ? 1 : -1;
  }
  if (order != 0) return order;
  return b > whole ? -1 : b < whole ? 1 : 0;
}

}  // namespace

Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = value;
  }
}

Json::Json(double value) {
  if (std::isfinite(value)) value_ = value;
}

absl::StatusOr<Json> Json::Parse(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_json",
                 Formatted("json: want at most %d bytes, got %d", limits.bytes, text.size()));
  }
  Builder builder(limits);
  // The longest integer token is checked by the float path: an integer beyond 64 bits reaches number_float.
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_json",
                 Formatted("json: %s (byte %d of %d)", Printable(builder.problem, 500), builder.offset(), text.size()));
  }
  return std::move(builder.root);
}

const char* Json::type_name() const {
  static constexpr const char* kNames[] = {"null",   "boolean", "number", "number",
                                           "number", "string",  "array",  "object"};
  return kNames[value_.index()];
}

bool Json::boolean(bool fallback) const {
  const bool* value = std::get_if<bool>(&value_);
  return value ? *value : fallback;
}

double Json::number(double fallback) const {
  if (const auto* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  return fallback;
}

int64_t Json::integer(int64_t fallback) const {
  if (const auto* value = std::get_if<int64_t>(&value_)) return *value;
  const auto* value = std::get_if<double>(&value_);
  if (value && *value == std::trunc(*value) && std::fabs(*value) < 9.2e18) return static_cast<int64_t>(*value);
  return fallback;
}

const std::string& Json::text() const {
  const auto* value = std::get_if<std::string>(&value_);
  return value ? *value : kNoText;
}

const Json::ArrayType& Json::items() const {
  const auto* value = std::get_if<ArrayType>(&value_);
  return value ? *value : kNoItems;
}

const Json::ObjectType& Json::members() const {
  const auto* value = std::get_if<ObjectType>(&value_);
  return value ? *value : kNoMembers;
}

const Json* Json::find(std::string_view key) const {
  const auto it = members().find(key);
  return it == members().end() ? nullptr : &it->second;
}

const Json& Json::at(std::string_view key) const {
  const Json* found = find(key);
  return found ? *found : kNull;
}

Json& Json::operator[](std::string_view key) {
  if (!is_object()) value_ = ObjectType();
  ObjectType& object = std::get<ObjectType>(value_);
  const auto it = object.find(key);
  return it != object.end() ? it->second : object.emplace(std::string(key), Json()).first->second;
}

void Json::erase(std::string_view key) {
  if (!is_object()) return;
  ObjectType& object = std::get<ObjectType>(value_);
  const auto it = object.find(key);
  if (it != object.end()) object.erase(it);
}

const Json& Json::at(size_t index) const { return index < items().size() ? items()[index] : kNull; }

void Json::push_back(Json item) { mutable_items().push_back(std::move(item)); }

Json::ArrayType& Json::mutable_items() {
  if (!is_array()) value_ = ArrayType();
  return std::get<ArrayType>(value_);
}

int Json::CompareNumbers(const Json& a, const Json& b) {
  const double* a_real = std::get_if<double>(&a.value_);
  const double* b_real = std::get_if<double>(&b.value_);
  if (a_real && b_real) return *a_real < *b_real ? -1 : *a_real > *b_real ? 1 : 0;
  if (a_real) return -CompareNumbers(b, a);
  const int64_t* a_signed = std::get_if<int64_t>(&a.value_);
  const bool a_negative = a_signed && *a_signed < 0;
  const uint64_t a_magnitude =
      a_signed ? (a_negative ? ~static_cast<uint64_t>(*a_signed) + 1 : static_cast<uint64_t>(*a_signed))
               : std::get<uint64_t>(a.value_);
  if (b_real) return CompareIntDouble(a_negative, a_magnitude, *b_real);
  const int64_t* b_signed = std::get_if<int64_t>(&b.value_);
  if (a_signed && b_signed) return *a_signed < *b_signed ? -1 : *a_signed > *b_signed ? 1 : 0;
  if (a_signed) return -1;  // a uint64 is kept only beyond the range of int64
  if (b_signed) return 1;
  const uint64_t b_magnitude = std::get<uint64_t>(b.value_);
  return a_magnitude < b_magnitude ? -1 : a_magnitude > b_magnitude ? 1 : 0;
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return Json::CompareNumbers(a, b) == 0;
  if (a.value_.index() != b.value_.index()) return false;
  if (a.is_array()) return a.items() == b.items();
  if (a.is_object()) return a.members() == b.members();
  return a.value_ == b.value_;
}

namespace {
void Append(const Json& json, int indent, int depth, std::string& out) {
  const auto line = [&](int levels) {
    if (indent >= 0) {
      out += '\n';
      out.append(static_cast<size_t>(indent) * static_cast<size_t>(levels), ' ');
    }
  };
  if (json.is_array()) {
    out += '[';
    for (size_t i = 0; i < json.items().size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      Append(json.items()[i], indent, depth + 1, out);
    }
    if (!json.items().empty()) line(depth);
    out += ']';
  } else if (json.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : json.members()) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      AppendString(key, out);
      out += indent >= 0 ? ": " : ":";
      Append(value, indent, depth + 1, out);
    }
    if (!first) line(depth);
    out += '}';
  } else if (json.is_string()) {
    AppendString(json.text(), out);
  } else if (json.is_integer()) {
    const int64_t value = json.integer(-1);
    // integer() cannot hold what is beyond int64; such a value prints through its exact unsigned form.
    out += Json::CompareNumbers(json, Json(std::numeric_limits<int64_t>::max())) > 0
               ? std::to_string(json.unsigned_integer())
               : std::to_string(value);
  } else if (json.is_number()) {
    AppendNumber(json.number(), out);
  } else {
    out += json.is_null() ? "null" : json.boolean() ? "true" : "false";
  }
}
}  // namespace

uint64_t Json::unsigned_integer(uint64_t fallback) const {
  if (const auto* value = std::get_if<uint64_t>(&value_)) return *value;
  const int64_t value = integer(-1);
  return value >= 0 ? static_cast<uint64_t>(value) : fallback;
}

std::string Json::Dump(int indent) const {
  std::string out;
  Append(*this, indent, 0, out);
  return out;
}

std::string PointerToken(std::string_view token) {
  std::string escaped;
  for (const char c : token) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace grym
