// What a host's callback must find: no budget of a run's, and its own mode.
#pragma once
#include <c10/core/InferenceMode.h>

#include "runtime/memory_lease.h"

namespace grym::testing {

inline bool IsTheHostsOwn() { return !BudgetScope::Current().budget && !c10::InferenceMode::is_enabled(); }

}  // namespace grym::testing
