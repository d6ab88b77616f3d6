// The rule-based analysers as a model, so that hearing is routed, costed and leased like everything else.
#pragma once
#include <memory>

#include "grymsynth/model.h"

namespace grym {

// Id "rules": analyse, classify style, detect patterns, compare.
std::shared_ptr<const Model> MakeRulesModel();

}  // namespace grym
