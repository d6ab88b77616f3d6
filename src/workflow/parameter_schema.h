// The part of JSON Schema that means the same in draft 7 and 2020-12, for workflow parameters.
#pragma once
#include <string>

#include "base/json.h"
#include "workflow/schema_reader.h"

namespace grym {

// Reports keywords other than type, enum, const, minimum, maximum, minLength, maxLength, minItems, maxItems, items,
// properties, required, additionalProperties, anyOf, format ("file"), title, description and default, and values of
// theirs that make no sense. `pattern` is reported as not supported yet: it wants a matcher that runs in linear time.
void CheckParameterSchema(const Json& schema, const std::string& pointer, SchemaReader& reader);

// Reports where `value` breaks `schema`, which was checked.
void CheckAgainstSchema(const Json& value, const Json& schema, const std::string& pointer, SchemaReader& reader);

}  // namespace grym
