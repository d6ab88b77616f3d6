// Reads one step of a document.
#pragma once
#include <set>
#include <string>

#include "base/json.h"
#include "workflow/document.h"
#include "workflow/schema_reader.h"

namespace grym {

// What a step may point at, gathered before any step is read.
struct DocumentNames {
  std::vector<std::string> steps;
  std::vector<std::string> parameters;
};

StepDefinition ReadStep(const Json& json, const std::string& pointer, const DocumentNames& names, SchemaReader& reader);

// Reports a step id that does not exist.
void CheckTarget(const std::string& pointer, const std::string& target, const DocumentNames& names,
                 SchemaReader& reader);

}  // namespace grym
