// JSON as a value: exact 64-bit integers beside doubles, members in sorted order, limits on what is parsed.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace grym {

// Source of the limits: depth and sizes are what a document of ours can need; a deeper or larger one is an attack.
struct JsonLimits {
  size_t bytes = size_t{1} << 20;
  int depth = 64;
  size_t number_chars = 64;
  size_t string_bytes = size_t{1} << 20;
};

class Json {
 public:
  using ArrayType = std::vector<Json>;
  using ObjectType = std::map<std::string, Json, std::less<>>;

  Json() = default;  // null
  Json(std::nullptr_t) {}                             // NOLINT: implicit on purpose, as all below
  Json(bool value) : value_(value) {}                 // NOLINT
  Json(int value) : value_(int64_t{value}) {}         // NOLINT
  Json(int64_t value) : value_(value) {}              // NOLINT
  Json(uint64_t value);                               // NOLINT: kept as int64 where it fits
  Json(double value);                                 // NOLINT: NaN and infinities become null
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  static Json Array() { Json json; json.value_ = ArrayType(); return json; }
  static Json Object() { Json json; json.value_ = ObjectType(); return json; }
  template <class Range>
  static Json ArrayOf(const Range& range) {
    Json json = Array();
    for (const auto& item : range) json.push_back(Json(item));
    return json;
  }

  // InvalidArgument (code "bad_json") with the byte offset for: text that is no JSON or has something after it, bad
  // UTF-8, duplicate members (named), numbers outside double range, and anything beyond the limits.
  static absl::StatusOr<Json> Parse(std::string_view text, const JsonLimits& limits = {});
  // Shortest text that reads back the same; members sorted; `indent` < 0 for one line.
  std::string Dump(int indent = -1) const;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_integer() const {
    return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_);
  }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<ArrayType>(value_); }
  bool is_object() const { return std::holds_alternative<ObjectType>(value_); }
  const char* type_name() const;  // "null", "boolean", "number", "string", "array", "object"

  // Readers with a fallback for another type.
  bool boolean(bool fallback = false) const;
  double number(double fallback = 0) const;
  int64_t integer(int64_t fallback = 0) const;  // a whole double in range counts
  uint64_t unsigned_integer(uint64_t fallback = 0) const;
  const std::string& text() const;              // "" for another type
  const ArrayType& items() const;               // empty for another type
  const ObjectType& members() const;            // empty for another type
  size_t size() const { return is_array() ? items().size() : is_object() ? members().size() : 0; }

  // Object access: at() answers a shared null for what is absent; [] makes the value an object and the member exist.
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const Json* find(std::string_view key) const;
  const Json& at(std::string_view key) const;
  Json& operator[](std::string_view key);
  void erase(std::string_view key);
  // Array access.
  const Json& at(size_t index) const;
  void push_back(Json item);
  ArrayType& mutable_items();  // makes the value an array

  // Deep equality: numbers by exact value across integer and double, member order irrelevant, no coercion.
  friend bool operator==(const Json& a, const Json& b);
  // -1, 0, 1 by exact value; requires both to be numbers.
  static int CompareNumbers(const Json& a, const Json& b);

 private:
  std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, ArrayType, ObjectType> value_ = nullptr;
};

// "a/b" -> "a~1b": one reference token of a JSON Pointer (RFC 6901).
std::string PointerToken(std::string_view token);

}  // namespace grym
