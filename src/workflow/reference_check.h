// Who writes what a step reads: references that cannot be met, that may not be met, and loops that go nowhere.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "workflow/document.h"
#include "workflow/graph.h"
#include "workflow/operations.h"
#include "workflow/schema_reader.h"

namespace grym {

// The names that a run publishes beside step ids, and the steps that write each: `as`, and what operations publish
// unless a step or an `as` has the name.
struct PublishedName {
  std::set<std::string> writers;
  std::string member;  // of the writer's result; "" for an `as`, which is the whole result
};
std::map<std::string, PublishedName> PublishedNames(const Workflow::Document& document, const OperationSet& operations);

// Errors: unknown name, a path that no writer's result can have, a writer that never comes before, a comparison that
// can never type-check. Warnings: a writer that is not on every path here.
void CheckReferences(const Workflow::Document& document, const OperationSet& operations, const StepGraph& graph,
                     SchemaReader& errors, SchemaReader& warnings);

// Warns (code "stuck_loop") of each cycle none of whose conditions can change by what the cycle does.
void CheckStuckLoops(const Workflow::Document& document, const OperationSet& operations, const StepGraph& graph,
                     SchemaReader& warnings);

}  // namespace grym
