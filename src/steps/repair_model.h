// The repairs of AudioProcessor::Enhance as a registered model, "repair": workflows clean a recording through the
// orchestrator, as they do everything else.
#pragma once
#include <memory>

#include "grymsynth/model.h"

namespace grym {

std::shared_ptr<const Model> MakeRepairModel();

}  // namespace grym
