#include "workflow/reference.h"

#include "base/status.h"

namespace grym {
namespace {

// A template in parts: text, then the path that follows it (empty after the last).
struct TemplatePart {
  std::string text;
  Path path;
};

absl::StatusOr<std::vector<TemplatePart>> ParseTemplate(const std::string& text) {
  std::vector<TemplatePart> parts(1);
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {  // an escaped "${"
      parts.back().text += "${";
      i += 3;
    } else if (text.compare(i, 2, "${") == 0) {
      const size_t end = text.find('}', i);
      if (end == std::string::npos) {
        return Error(absl::StatusCode::kInvalidArgument, "bad_template", "template: want a closing } after ${");
      }
      GRYM_ASSIGN_OR_RETURN(parts.back().path, ParsePath(std::string_view(text).substr(i + 2, end - i - 2)));
      parts.emplace_back();
      i = end + 1;
    } else {
      parts.back().text += text[i++];
    }
  }
  return parts;
}

bool IsForm(const Json& value, const char* member) { return value.is_object() && value.contains(member); }

bool GoodRoot(const Path& path) { return path.size() >= 2 && (path[0] == "context" || path[0] == "parameters"); }

absl::StatusOr<Json> FillTemplate(const std::string& text, const PathLookup& lookup) {
  GRYM_ASSIGN_OR_RETURN(const std::vector<TemplatePart> parts, ParseTemplate(text));
  std::string filled;
  for (const TemplatePart& part : parts) {
    filled += part.text;
    if (part.path.empty()) continue;
    const Json* value = lookup(part.path);
    if (!value) {
      return Error(absl::StatusCode::kNotFound, "reference_missing",
                   "template: there is no \"" + Printable(PathText(part.path)) + "\"");
    }
    if (value->is_array() || value->is_object() || value->is_null()) {
      return Error(absl::StatusCode::kInvalidArgument, "template_type_error",
                   "template: \"" + Printable(PathText(part.path)) + "\": want text, a number or a boolean, got " +
                       value->type_name());
    }
    filled += value->is_string() ? value->text() : value->Dump();
  }
  return Json(filled);
}

void CollectReferences(const Json& value, std::vector<ReferenceUse>& uses) {
  if (value.is_string() && IsReference(value.text())) {
    uses.push_back({ParsePath(value.text()).value(), false});
  } else if (IsForm(value, "$literal")) {
    return;
  } else if (IsForm(value, "$ref")) {
    if (absl::StatusOr<Path> path = ParsePath(value.at("$ref").text()); path.ok())
      uses.push_back({*path, value.contains("default")});
  } else if (IsForm(value, "$template")) {
    const absl::StatusOr<std::vector<TemplatePart>> parts = ParseTemplate(value.at("$template").text());
    if (!parts.ok()) return;
    for (const TemplatePart& part : *parts) {
      if (!part.path.empty()) uses.push_back({part.path, false});
    }
  } else {
    for (const Json& item : value.items()) CollectReferences(item, uses);
    for (const auto& [name, member] : value.members()) CollectReferences(member, uses);
  }
}

}  // namespace

bool IsReference(const std::string& text) {
  if (text.rfind("context.", 0) != 0 && text.rfind("parameters.", 0) != 0) return false;
  const absl::StatusOr<Path> path = ParsePath(text);
  return path.ok() && GoodRoot(*path);
}

bool IsLiteral(const Json& value) {
  return IsForm(value, "$literal") ||
         (ReferencesIn(value).empty() && !IsForm(value, "$ref") && !IsForm(value, "$template"));
}

Json LiteralValue(const Json& value) { return IsForm(value, "$literal") ? value.at("$literal") : value; }

std::vector<ReferenceUse> ReferencesIn(const Json& value) {
  std::vector<ReferenceUse> uses;
  CollectReferences(value, uses);
  return uses;
}

void CheckReferenceForms(const Json& value, const std::string& pointer, SchemaReader& reader) {
  const auto check_path = [&](const char* member, const absl::StatusOr<Path>& path) {
    if (!path.ok()) {
      reader.Report(pointer + "/" + member, "bad_path", std::string(path.status().message()));
    } else if (!GoodRoot(*path)) {
      reader.Report(pointer + "/" + member, "bad_path",
                    "want a path that starts context. or parameters., got \"" + Printable(PathText(*path)) + "\"");
    }
  };
  if (IsForm(value, "$literal")) {
    reader.Members(value, pointer, {"$literal"});
  } else if (IsForm(value, "$ref")) {
    reader.Members(value, pointer, {"$ref", "default"});
    check_path("$ref", ParsePath(value.at("$ref").text()));
  } else if (IsForm(value, "$template")) {
    reader.Members(value, pointer, {"$template"});
    const absl::StatusOr<std::vector<TemplatePart>> parts = ParseTemplate(value.at("$template").text());
    if (!value.at("$template").is_string() || !parts.ok()) {
      reader.Report(pointer + "/$template", "bad_template",
                    parts.ok() ? "want text" : std::string(parts.status().message()));
      return;
    }
    for (const TemplatePart& part : *parts) {
      if (!part.path.empty()) check_path("$template", part.path);
    }
  } else {
    for (size_t i = 0; i < value.items().size(); ++i)
      CheckReferenceForms(value.items()[i], pointer + "/" + std::to_string(i), reader);
    for (const auto& [name, member] : value.members())
      CheckReferenceForms(member, pointer + "/" + PointerToken(name), reader);
  }
}

absl::StatusOr<Json> ResolveReferences(const Json& value, const PathLookup& lookup) {
  if (IsForm(value, "$literal")) return value.at("$literal");
  if (IsForm(value, "$template")) return FillTemplate(value.at("$template").text(), lookup);
  const bool form = IsForm(value, "$ref");
  if (form || (value.is_string() && IsReference(value.text()))) {
    const std::string& text = form ? value.at("$ref").text() : value.text();
    GRYM_ASSIGN_OR_RETURN(const Path path, ParsePath(text));
    if (const Json* found = lookup(path)) return *found;
    if (form && value.contains("default")) return value.at("default");
    return Error(absl::StatusCode::kNotFound, "reference_missing", "there is no \"" + Printable(text) + "\"");
  }
  if (value.is_array()) {
    Json list = Json::Array();
    for (const Json& item : value.items()) {
      GRYM_ASSIGN_OR_RETURN(Json resolved, ResolveReferences(item, lookup));
      list.push_back(std::move(resolved));
    }
    return list;
  }
  if (value.is_object()) {
    Json object = Json::Object();
    for (const auto& [name, member] : value.members()) {
      GRYM_ASSIGN_OR_RETURN(object[name], ResolveReferences(member, lookup));
    }
    return object;
  }
  return value;
}

}  // namespace grym
