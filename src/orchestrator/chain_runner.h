// Runs the links of a chain in turn, each under a lease, with every hand-over checked.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/model_orchestrator.h"
#include "orchestrator/cost_table.h"
#include "orchestrator/model_registry.h"
#include "orchestrator/resource_budget.h"

namespace grym {

// A link has a session of its own, dropped when the link ends: after an error nothing of it is left. Runs that end well
// go into the cost table.
absl::StatusOr<ProcessingResult> RunChain(const ModelChain& chain, const ModelRegistry& registry, CostTable& costs,
                                          ResourceBudget& budget, double most_wait_s, const RunOptions& run);

}  // namespace grym
