#include "workflow/parameter_schema.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace grym {
namespace {

const std::vector<std::string>& SchemaTypes() {
  static const auto* const types =
      new std::vector<std::string>{"null", "boolean", "integer", "number", "string", "array", "object"};
  return *types;
}

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "integer") {
    return value.is_integer() || (value.is_number() && value.number() == std::trunc(value.number()));
  }
  return type == value.type_name();
}

// Lengths of strings are counted in code points, as JSON Schema says.
int64_t CodePoints(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void CheckCount(int64_t count, const Json& schema, const char* low, const char* high, const std::string& pointer,
                SchemaReader& reader) {
  const std::string got = ", got " + std::to_string(count);
  if (schema.contains(low) && count < schema.at(low).integer())
    reader.Report(pointer, "too_short", std::string(low) + " is " + schema.at(low).Dump() + got);
  if (schema.contains(high) && count > schema.at(high).integer())
    reader.Report(pointer, "too_long", std::string(high) + " is " + schema.at(high).Dump() + got);
}

void CheckMembers(const Json& value, const Json& schema, const std::string& pointer, SchemaReader& reader) {
  for (const Json& name : schema.at("required").items()) {
    if (!value.contains(name.text()))
      reader.Report(pointer + "/" + PointerToken(name.text()), "missing_member",
                    "want \"" + Printable(name.text(), 64) + "\", got nothing");
  }
  std::vector<std::string> known;
  for (const auto& [name, unused] : schema.at("properties").members()) known.push_back(name);
  for (const auto& [name, member] : value.members()) {
    const std::string at = pointer + "/" + PointerToken(name);
    const Json* extra = schema.find("additionalProperties");
    if (const Json* property = schema.at("properties").find(name)) {
      CheckAgainstSchema(member, *property, at, reader);
    } else if (extra && extra->is_object()) {
      CheckAgainstSchema(member, *extra, at, reader);
    } else if (extra && !extra->boolean(true)) {
      reader.Report(at, "unknown_member", "unknown member \"" + Printable(name, 64) + "\"", ClosestLegal(name, known));
    }
  }
}

void CheckKeywordValue(const std::string& keyword, const Json& value, const std::string& pointer,
                       SchemaReader& reader) {
  const auto want = [&](bool good, const char* what) {
    if (!good)
      reader.Report(pointer, "bad_schema", keyword + ": want " + what + ", got " + Printable(value.Dump(), 60));
  };
  if (keyword == "type") {
    const auto known = [](const Json& type) {
      return std::find(SchemaTypes().begin(), SchemaTypes().end(), type.text()) != SchemaTypes().end();
    };
    want(value.is_array() ? value.size() > 0 && std::all_of(value.items().begin(), value.items().end(), known)
                          : known(value),
         "a type or an array of types");
  } else if (keyword == "enum") {
    want(value.is_array() && value.size() > 0, "an array of values");
  } else if (keyword == "minimum" || keyword == "maximum") {
    want(value.is_number(), "a number");
  } else if (keyword == "minLength" || keyword == "maxLength" || keyword == "minItems" || keyword == "maxItems") {
    want(value.is_integer() && value.integer(-1) >= 0, "a whole number from 0");
  } else if (keyword == "items") {
    CheckParameterSchema(value, pointer, reader);
  } else if (keyword == "properties") {
    want(value.is_object(), "an object of schemas");
    for (const auto& [name, schema] : value.members())
      CheckParameterSchema(schema, pointer + "/" + PointerToken(name), reader);
  } else if (keyword == "required") {
    want(value.is_array() &&
             std::all_of(value.items().begin(), value.items().end(), [](const Json& name) { return name.is_string(); }),
         "an array of names");
  } else if (keyword == "additionalProperties") {
    if (!value.is_bool()) CheckParameterSchema(value, pointer, reader);
  } else if (keyword == "anyOf") {
    want(value.is_array() && value.size() > 0, "an array of schemas");
    for (size_t i = 0; i < value.items().size(); ++i)
      CheckParameterSchema(value.items()[i], pointer + "/" + std::to_string(i), reader);
  } else if (keyword == "format") {
    want(value.text() == "file", "\"file\"");
  }
}

}  // namespace

void CheckParameterSchema(const Json& schema, const std::string& pointer, SchemaReader& reader) {
  static const auto* const keywords = new std::vector<std::string>{"type",
                                                                   "enum",
                                                                   "const",
                                                                   "minimum",
                                                                   "maximum",
                                                                   "minLength",
                                                                   "maxLength",
                                                                   "minItems",
                                                                   "maxItems",
                                                                   "items",
                                                                   "properties",
                                                                   "required",
                                                                   "additionalProperties",
                                                                   "anyOf",
                                                                   "format",
                                                                   "title",
                                                                   "description",
                                                                   "default"};
  if (!schema.is_object())
    return reader.Report(pointer, "bad_schema", std::string("want a schema object, got ") + schema.type_name());
  for (const auto& [keyword, value] : schema.members()) {
    const std::string at = pointer + "/" + PointerToken(keyword);
    if (keyword == "pattern") {
      reader.Report(at, "not_supported_yet", "\"pattern\" is part of the schema but not supported yet");
    } else if (std::find(keywords->begin(), keywords->end(), keyword) == keywords->end()) {
      reader.Report(at, "unknown_member",
                    "want one of " + Join(*keywords, ", ") + ", got \"" + Printable(keyword, 64) + "\"",
                    ClosestLegal(keyword, *keywords));
    } else {
      CheckKeywordValue(keyword, value, at, reader);
    }
  }
}

void CheckAgainstSchema(const Json& value, const Json& schema, const std::string& pointer, SchemaReader& reader) {
  if (const Json* type = schema.find("type")) {
    const bool fits = type->is_array() ? std::any_of(type->items().begin(), type->items().end(),
                                                     [&](const Json& one) { return IsOfType(value, one.text()); })
                                       : IsOfType(value, type->text());
    if (!fits) return reader.Report(pointer, "wrong_type", "want " + type->Dump() + ", got " + value.type_name());
  }
  if (const Json* choices = schema.find("enum")) {
    if (std::find(choices->items().begin(), choices->items().end(), value) == choices->items().end()) {
      reader.Report(pointer, "unknown_value",
                    "want one of " + Printable(choices->Dump(), 200) + ", got " + Printable(value.Dump(), 60));
    }
  }
  if (const Json* only = schema.find("const"); only && !(value == *only)) {
    reader.Report(pointer, "unknown_value",
                  "want " + Printable(only->Dump(), 100) + ", got " + Printable(value.Dump(), 60));
  }
  if (value.is_number()) {
    const Json* low = schema.find("minimum");
    const Json* high = schema.find("maximum");
    if (low && Json::CompareNumbers(value, *low) < 0)
      reader.Report(pointer, "out_of_range", "want at least " + low->Dump() + ", got " + value.Dump());
    if (high && Json::CompareNumbers(value, *high) > 0)
      reader.Report(pointer, "out_of_range", "want at most " + high->Dump() + ", got " + value.Dump());
  }
  if (value.is_string()) CheckCount(CodePoints(value.text()), schema, "minLength", "maxLength", pointer, reader);
  if (value.is_array()) {
    CheckCount(static_cast<int64_t>(value.size()), schema, "minItems", "maxItems", pointer, reader);
    if (const Json* items = schema.find("items")) {
      for (size_t i = 0; i < value.size(); ++i)
        CheckAgainstSchema(value.items()[i], *items, pointer + "/" + std::to_string(i), reader);
    }
  }
  if (value.is_object()) CheckMembers(value, schema, pointer, reader);
  if (const Json* any = schema.find("anyOf")) {
    const bool fits = std::any_of(any->items().begin(), any->items().end(), [&](const Json& one) {
      SchemaReader attempt;
      CheckAgainstSchema(value, one, pointer, attempt);
      return attempt.ok();
    });
    if (!fits)
      reader.Report(pointer, "no_match",
                    "want a value that fits one of " + std::to_string(any->size()) + " schemas, got " +
                        Printable(value.Dump(), 60));
  }
}

}  // namespace grym
