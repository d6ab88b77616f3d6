// What to do about an error, from its status alone: workflow-semantics' error classes as actions.
#pragma once
#include <functional>
#include <string>

#include "grymsynth/model_orchestrator.h"

namespace grym {

inline constexpr int kMaxAttempts = 3;

// `other_model` answers a registered model that can stand in for the one that failed, "" when there is none; with
// `smaller` only one whose weights are smaller.
using OtherModel = std::function<std::string(const std::string& model, bool smaller)>;

// Ends for every error: from attempt kMaxAttempts on the action is kFail.
RecoveryStrategy ChooseRecovery(const ProcessingError& error, const OtherModel& other_model);

}  // namespace grym
