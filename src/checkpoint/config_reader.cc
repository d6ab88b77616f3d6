#include "checkpoint/config_reader.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/number_text.h"
#include "base/status.h"
#include "checkpoint/content.h"

namespace grym {
namespace {

constexpr size_t kMostTextBytes = 4096;
constexpr size_t kMostUnknownFields = 1000;

// A value as a message shows it: short, whatever the file holds.
std::string Shown(const Json& json) {
  if (json.is_string()) return "\"" + Printable(json.text(), 64) + "\"";
  if (json.is_number() || json.is_bool()) return Printable(json.Dump(), 64);
  if (json.is_array()) return Formatted("a list of %d", json.size());
  return json.is_null() ? "null" : "an object";
}

std::string AnyOf(const std::vector<std::string>& choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i)
    text += (i == 0 ? "\"" : i + 1 < choices.size() ? ", \"" : " or \"") + choices[i] + "\"";
  return text;
}

std::string LengthText(size_t shortest, size_t longest) {
  return shortest == longest ? std::to_string(shortest) : Formatted("%d to %d", shortest, longest);
}

}  // namespace

absl::StatusOr<Json> ReadConfig(const std::filesystem::path& path) {
  return ReadJsonObject(path, kMostConfigBytes, "bad_config");
}

ConfigReader::ConfigReader(const Json& json, std::string where)
    : json_(&json), where_(std::move(where)), problems_(&own_problems_) {
  if (json.is_object()) return;
  Report("", "wrong_type", "want an object, got " + Shown(json));
  json_ = nullptr;
}

ConfigReader::ConfigReader(const Json* json, std::string where, std::string pointer, std::vector<Problem>* problems)
    : json_(json), where_(std::move(where)), pointer_(std::move(pointer)), problems_(problems) {}

std::string ConfigReader::PointerTo(std::string_view name) const { return pointer_ + "/" + PointerToken(name); }

void ConfigReader::Report(const std::string& pointer, std::string_view code, std::string message) {
  problems_->push_back({pointer, std::string(code), std::move(message), ""});
}

bool ConfigReader::Has(std::string_view name) const { return json_ && !json_->at(name).is_null(); }

const Json* ConfigReader::Take(std::string_view name, bool required) {
  asked_.emplace(name);
  if (!json_) return nullptr;  // absent as a whole: said once, or allowed
  const Json* field = json_->find(name);
  if (field && !field->is_null()) return field;
  if (required) Report(PointerTo(name), "missing_field", "want a value, got none");
  return nullptr;
}

bool ConfigReader::TakeNull(std::string_view name) {
  asked_.emplace(name);
  const Json* field = json_ ? json_->find(name) : nullptr;
  return field && field->is_null();
}

bool ConfigReader::ReadInt(const Json& json, const std::string& pointer, int64_t minimum, int64_t maximum,
                           int64_t& value) {
  // A number that is not whole answers the fallback, which then is not equal to it.
  const bool whole = json.is_number() && Json::CompareNumbers(json, Json(json.integer(0))) == 0;
  if (whole && json.integer() >= minimum && json.integer() <= maximum) {
    value = json.integer();
    return true;
  }
  Report(pointer, whole ? "out_of_range" : "wrong_type",
         Formatted("want a whole number from %d to %d, got %s", minimum, maximum, Shown(json)));
  return false;
}

bool ConfigReader::IsListOf(const Json& json, const std::string& pointer, size_t shortest, size_t longest) {
  const bool list = json.is_array();
  if (list && json.size() >= shortest && json.size() <= longest) return true;
  Report(pointer, list ? "wrong_length" : "wrong_type",
         "want a list of " + LengthText(shortest, longest) + ", got " + Shown(json));
  return false;
}

bool ConfigReader::ReadInts(const Json& json, const std::string& pointer, const IntListRule& rule,
                            std::vector<int64_t>& value) {
  if (!IsListOf(json, pointer, rule.shortest, rule.longest)) return false;
  std::vector<int64_t> read(json.size());
  bool right = true;
  for (size_t i = 0; i < json.size(); ++i)
    right &= ReadInt(json.at(i), pointer + "/" + std::to_string(i), rule.minimum, rule.maximum, read[i]);
  if (right) value = std::move(read);
  return right;
}

bool ConfigReader::ReadText(const Json& json, const std::string& pointer, const std::vector<std::string>& choices,
                            std::string& value) {
  const bool fits = json.is_string() && json.text().size() <= kMostTextBytes;
  if (fits && (choices.empty() || std::find(choices.begin(), choices.end(), json.text()) != choices.end())) {
    value = json.text();
    return true;
  }
  Report(pointer, fits ? "unknown_value" : "wrong_type",
         "want " + (choices.empty() ? Formatted("text of at most %d bytes", kMostTextBytes) : AnyOf(choices)) +
             ", got " + Shown(json));
  return false;
}

void ConfigReader::Int(std::string_view name, int64_t* value, const IntRule& rule) {
  if (const Json* field = Take(name, rule.required))
    ReadInt(*field, PointerTo(name), rule.minimum, rule.maximum, *value);
}

void ConfigReader::Int(std::string_view name, int* value, const IntRule& rule) {
  int64_t wide = *value;
  IntRule cut = rule;
  cut.maximum = std::min<int64_t>(rule.maximum, std::numeric_limits<int>::max());
  cut.minimum = std::max<int64_t>(rule.minimum, std::numeric_limits<int>::min());
  Int(name, &wide, cut);
  *value = static_cast<int>(wide);
}

void ConfigReader::Number(std::string_view name, double* value, const NumberRule& rule) {
  const Json* field = Take(name, rule.required);
  if (!field) return;
  const double number = field->number();
  if (field->is_number() && number >= rule.minimum && number <= rule.maximum) {
    *value = number;
    return;
  }
  Report(PointerTo(name), field->is_number() ? "out_of_range" : "wrong_type",
         "want a number from " + ShortNumber(rule.minimum) + " to " + ShortNumber(rule.maximum) + ", got " +
             Shown(*field));
}

void ConfigReader::Bool(std::string_view name, bool* value, const FieldRule& rule) {
  const Json* field = Take(name, rule.required);
  if (!field) return;
  if (field->is_bool()) {
    *value = field->boolean();
  } else {
    Report(PointerTo(name), "wrong_type", "want true or false, got " + Shown(*field));
  }
}

void ConfigReader::Text(std::string_view name, std::string* value, const TextRule& rule) {
  if (const Json* field = Take(name, rule.required)) ReadText(*field, PointerTo(name), rule.choices, *value);
}

void ConfigReader::IntList(std::string_view name, std::vector<int64_t>* value, const IntListRule& rule) {
  if (const Json* field = Take(name, rule.required)) ReadInts(*field, PointerTo(name), rule, *value);
}

void ConfigReader::IntLists(std::string_view name, std::vector<std::vector<int64_t>>* value, const IntListRule& inner,
                            const IntListRule& outer) {
  const Json* field = Take(name, outer.required);
  if (!field || !IsListOf(*field, PointerTo(name), outer.shortest, outer.longest)) return;
  std::vector<std::vector<int64_t>> read(field->size());
  bool right = true;
  for (size_t i = 0; i < read.size(); ++i)
    right &= ReadInts(field->at(i), PointerTo(name) + "/" + std::to_string(i), inner, read[i]);
  if (right) *value = std::move(read);
}

void ConfigReader::TextList(std::string_view name, std::vector<std::string>* value, const TextListRule& rule) {
  const Json* field = Take(name, rule.required);
  if (!field || !IsListOf(*field, PointerTo(name), rule.shortest, rule.longest)) return;
  std::vector<std::string> read(field->size());
  bool right = true;
  for (size_t i = 0; i < read.size(); ++i)
    right &= ReadText(field->at(i), PointerTo(name) + "/" + std::to_string(i), rule.choices, read[i]);
  if (right) *value = std::move(read);
}

void ConfigReader::IntOrList(std::string_view name, std::vector<int64_t>* value, size_t count, const IntRule& rule) {
  const Json* field = Take(name, rule.required);
  if (!field) return;
  if (field->is_array()) {
    ReadInts(*field, PointerTo(name), {rule.minimum, rule.maximum, count, count}, *value);
    return;
  }
  int64_t one = 0;
  if (ReadInt(*field, PointerTo(name), rule.minimum, rule.maximum, one)) value->assign(count, one);
}

void ConfigReader::OptionalInt(std::string_view name, std::optional<int64_t>* value, const IntRule& rule) {
  if (TakeNull(name)) value->reset();
  int64_t read = 0;
  const Json* field = Take(name, rule.required);
  if (field && ReadInt(*field, PointerTo(name), rule.minimum, rule.maximum, read)) *value = read;
}

void ConfigReader::OptionalNumber(std::string_view name, std::optional<double>* value, const NumberRule& rule) {
  if (TakeNull(name)) value->reset();
  if (!Has(name) && !rule.required) return;
  const size_t before = problems_->size();
  double read = 0;
  Number(name, &read, rule);
  if (problems_->size() == before && Has(name)) *value = read;
}

void ConfigReader::OptionalText(std::string_view name, std::optional<std::string>* value, const TextRule& rule) {
  if (TakeNull(name)) value->reset();
  std::string read;
  const Json* field = Take(name, rule.required);
  if (field && ReadText(*field, PointerTo(name), rule.choices, read)) *value = std::move(read);
}

ConfigReader& ConfigReader::Nested(std::string_view name, const FieldRule& rule) {
  if (const auto at = nested_.find(name); at != nested_.end()) return *at->second;
  const Json* field = Take(name, rule.required);
  if (field && !field->is_object()) {
    Report(PointerTo(name), "wrong_type", "want an object, got " + Shown(*field));
    field = nullptr;
  }
  std::unique_ptr<ConfigReader> inner(new ConfigReader(field, where_, PointerTo(name), problems_));
  return *nested_.emplace(std::string(name), std::move(inner)).first->second;
}

void ConfigReader::Ignore(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) asked_.emplace(name);
}

void ConfigReader::Contradiction(std::string_view name, std::string_view message) {
  Report(PointerTo(name), "contradiction", std::string(message));
}

void ConfigReader::AddUnknown(const std::string& prefix, std::vector<std::string>& names) const {
  if (!json_) return;
  for (const auto& [name, value] : json_->members()) {
    if (names.size() >= kMostUnknownFields) return;
    if (!asked_.contains(name)) names.push_back(prefix + Printable(name, 64));
  }
  for (const auto& [name, inner] : nested_) inner->AddUnknown(prefix + Printable(name, 64) + "/", names);
}

std::vector<std::string> ConfigReader::UnknownFields() const {
  std::vector<std::string> names;
  AddUnknown("", names);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status ConfigReader::Finish() const {
  return problems_->empty() ? absl::OkStatus() : ProblemsError("bad_config", where_, *problems_);
}

}  // namespace grym
