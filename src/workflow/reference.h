// References inside step parameters and right operands: whole-text paths, {"$literal"}, {"$ref"} and {"$template"}.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workflow/path.h"
#include "workflow/schema_reader.h"

namespace grym {

// A text whose whole is a path that starts "context." or "parameters.".
bool IsReference(const std::string& text);
// Whether nothing in `value` has to be looked up, so that it is known before the run.
bool IsLiteral(const Json& value);
// The value of a right operand or parameter that IsLiteral: {"$literal"} is unwrapped.
Json LiteralValue(const Json& value);

struct ReferenceUse {
  Path path;
  bool tolerates_missing = false;
};
// Every path that `value` looks up.
std::vector<ReferenceUse> ReferencesIn(const Json& value);
// Reports special objects with other members, and paths that do not parse or start elsewhere.
void CheckReferenceForms(const Json& value, const std::string& pointer, SchemaReader& reader);

// Answers the value at a path from the roots, or nullptr.
using PathLookup = std::function<const Json*(const Path& path)>;
// `value` with every reference replaced, once: what comes in is never looked through again.
// NotFound (code "reference_missing", naming the path); InvalidArgument (code "template_type_error") for a template
// over anything but text, numbers and booleans.
absl::StatusOr<Json> ResolveReferences(const Json& value, const PathLookup& lookup);

}  // namespace grym
