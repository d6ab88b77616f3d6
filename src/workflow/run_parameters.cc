#include "workflow/run_parameters.h"

#include "base/status.h"
#include "workflow/file_roots.h"
#include "workflow/parameter_schema.h"

namespace grym {

absl::StatusOr<Json> StartParameters(const Workflow::Document& document, const Json& given) {
  SchemaReader reader;
  if (!given.is_object() && !given.is_null())
    reader.Report("", "wrong_type", std::string("want an object of parameters, got ") + given.type_name());
  std::vector<std::string> names;
  for (const auto& [name, fallback] : document.parameters) names.push_back(name);
  for (const auto& [name, value] : given.members()) {
    if (document.parameters.count(name)) continue;
    reader.Report("/" + PointerToken(name), "unknown_parameter",
                  "want one of " + Join(names, ", ") + ", got \"" + Printable(name, 64) + "\"",
                  ClosestLegal(name, names));
  }
  Json parameters = Json::Object();
  for (const auto& [name, fallback] : document.parameters) {
    const Json* value = given.find(name);
    const std::string pointer = "/" + PointerToken(name);
    if (!value && fallback.is_string() && !fallback.text().empty() && IsFileParameter(document, name)) {
      parameters[name] = (document.folder / fallback.text()).lexically_normal().string();
      continue;
    }
    parameters[name] = value ? *value : fallback;
    if (value && value->is_string() && !value->text().empty() && IsFileParameter(document, name) &&
        CheckNoUrl(value->text()).ok()) {
      // A resume may run in another working folder.
      std::error_code ignored;
      parameters[name] = std::filesystem::absolute(value->text(), ignored).lexically_normal().string();
    }
    if (parameters[name].is_null() && fallback.is_null()) {
      reader.Report(pointer, "missing_parameter", "want a value for \"" + Printable(name, 64) + "\", got none");
    } else if (const auto schema = document.parameter_schemas.find(name);
               value && schema != document.parameter_schemas.end()) {
      CheckAgainstSchema(*value, schema->second, pointer, reader);
    }
  }
  if (!reader.ok())
    return ProblemsError("invalid_parameters", "parameters of workflow \"" + document.id + "\"", reader.problems());
  return parameters;
}

}  // namespace grym
