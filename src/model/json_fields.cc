#include "model/json_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/status.h"

namespace grym {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> rows(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) rows[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t swap_cost = a[i - 1] == b[j - 1] ? 0 : 1;
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + swap_cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

template <class T>
bool ReadItem(const Json& item, T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    value = item.text();
    return item.is_string();
  } else if constexpr (std::is_integral_v<T>) {
    int64_t whole = 0;
    if (!WholeNumber(item, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), whole)) return false;
    value = static_cast<T>(whole);
    return true;
  } else {
    value = static_cast<T>(item.number());
    return item.is_number();
  }
}

template <class T>
constexpr const char* kWantedItem = std::is_same_v<T, std::string> ? "a string"
                                    : std::is_integral_v<T>        ? "a whole number"
                                                                   : "a number";

}  // namespace

std::string NearestName(std::string_view wanted, const std::vector<std::string>& names) {
  if (wanted.size() > 64) return "";
  std::string nearest;
  size_t best = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& name : names) {
    if (name.size() > 64) continue;
    const size_t distance = EditDistance(wanted, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

bool WholeNumber(const Json& json, int64_t low, int64_t high, int64_t& value) {
  if (!json.is_number()) return false;
  if (Json::CompareNumbers(json, Json(low)) < 0 || Json::CompareNumbers(json, Json(high)) > 0) return false;
  const int64_t whole = json.integer(std::numeric_limits<int64_t>::min());
  if (Json::CompareNumbers(json, Json(whole)) != 0) return false;
  value = whole;
  return true;
}

double ShortDouble(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  double shortest = 0;
  std::from_chars(digits, end.ptr, shortest);
  return static_cast<float>(shortest) == value ? shortest : static_cast<double>(value);
}

JsonFields::JsonFields(const Json& json, std::string pointer, std::vector<Problem>& problems)
    : json_(json), pointer_(std::move(pointer)), problems_(problems) {
  if (!json_.is_object()) {
    problems_.push_back({pointer_, "wrong_type", std::string("want an object, got ") + json_.type_name(), ""});
  }
}

std::string JsonFields::PointerTo(std::string_view name) const { return pointer_ + "/" + PointerToken(name); }

const Json* JsonFields::Take(std::string_view name) {
  names_.emplace_back(name);
  return json_.find(name);
}

void JsonFields::Report(std::string_view name, std::string_view code, std::string_view message, std::string_view hint) {
  problems_.push_back({PointerTo(name), std::string(code), std::string(message), std::string(hint)});
}

void JsonFields::WrongType(std::string_view name, std::string_view want, const Json& got) {
  std::string shown = got.type_name();
  if (got.is_number()) shown = got.Dump();
  Report(name, "wrong_type", "want " + std::string(want) + ", got " + shown);
}

void JsonFields::Read(std::string_view name, bool& value) {
  const Json* member = Take(name);
  if (!member) return;
  if (!member->is_bool()) return WrongType(name, "true or false", *member);
  value = member->boolean();
}

void JsonFields::Read(std::string_view name, int& value) {
  const Json* member = Take(name);
  if (member && !ReadItem(*member, value)) WrongType(name, "a whole number", *member);
}

void JsonFields::Read(std::string_view name, int64_t& value) {
  const Json* member = Take(name);
  if (member && !ReadItem(*member, value)) WrongType(name, "a whole number", *member);
}

void JsonFields::Read(std::string_view name, double& value) {
  const Json* member = Take(name);
  if (member && !ReadItem(*member, value)) WrongType(name, "a number", *member);
}

void JsonFields::Read(std::string_view name, std::string& value) {
  const Json* member = Take(name);
  if (member && !ReadItem(*member, value)) WrongType(name, "a string", *member);
}

namespace {
template <class T>
void ReadList(const Json* member, const std::string& pointer, std::vector<T>& value, std::vector<Problem>& problems) {
  if (!member) return;
  if (!member->is_array()) {
    problems.push_back({pointer, "wrong_type", std::string("want an array, got ") + member->type_name(), ""});
    return;
  }
  value.clear();
  for (size_t i = 0; i < member->items().size(); ++i) {
    T item{};
    if (!ReadItem(member->items()[i], item)) {
      problems.push_back({pointer + "/" + std::to_string(i), "wrong_type",
                          std::string("want ") + kWantedItem<T> + ", got " + member->items()[i].type_name(), ""});
      return;
    }
    value.push_back(std::move(item));
  }
}

template <class T>
void ReadMap(const Json* member, const std::string& pointer, std::map<std::string, T>& value,
             std::vector<Problem>& problems) {
  if (!member) return;
  if (!member->is_object()) {
    problems.push_back({pointer, "wrong_type", std::string("want an object, got ") + member->type_name(), ""});
    return;
  }
  value.clear();
  for (const auto& [key, json] : member->members()) {
    T item{};
    if (!ReadItem(json, item)) {
      problems.push_back({pointer + "/" + PointerToken(key), "wrong_type",
                          std::string("want ") + kWantedItem<T> + ", got " + json.type_name(), ""});
    }
    value[key] = std::move(item);
  }
}
}  // namespace

void JsonFields::Read(std::string_view name, std::vector<std::string>& value) {
  ReadList(Take(name), PointerTo(name), value, problems_);
}
void JsonFields::Read(std::string_view name, std::vector<int>& value) {
  ReadList(Take(name), PointerTo(name), value, problems_);
}
void JsonFields::Read(std::string_view name, std::vector<double>& value) {
  ReadList(Take(name), PointerTo(name), value, problems_);
}
void JsonFields::Read(std::string_view name, std::vector<float>& value) {
  ReadList(Take(name), PointerTo(name), value, problems_);
}
void JsonFields::Read(std::string_view name, std::map<std::string, std::string>& value) {
  ReadMap(Take(name), PointerTo(name), value, problems_);
}
void JsonFields::Read(std::string_view name, std::map<std::string, double>& value) {
  ReadMap(Take(name), PointerTo(name), value, problems_);
}

void JsonFields::Schema(std::string_view family, int version, bool required) {
  const std::string want = std::string(family) + "/" + std::to_string(version);
  const Json* member = Take("schema");
  if (!member) {
    if (required && json_.is_object()) Report("schema", "missing_member", "want \"" + want + "\", got nothing", want);
  } else if (member->text() != want) {
    Report("schema", "unknown_schema",
           "want \"" + want + "\", got " +
               (member->is_string() ? "\"" + Printable(member->text()) + "\"" : member->type_name()),
           want);
  }
}

void JsonFields::Finish() {
  for (const auto& [name, unused] : json_.members()) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
    Report(name, "unknown_member", "unknown member \"" + Printable(name, 64) + "\"", NearestName(name, names_));
  }
}

}  // namespace grym
