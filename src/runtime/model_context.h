// What a model is opened with: the device, its budget, and the numbers for each component.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "runtime/device.h"
#include "runtime/memory_budget.h"

namespace grym {

struct ModelContext {
  OpenModelOptions options;
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  std::shared_ptr<MemoryBudget> budget;  // never null; shared by all models on the device

  // Checks device and every dtype name, and that the device has it. `device_budget` is used as it is where
  // options.budget_bytes is 0; else the model gets a budget of its own of that size.
  static absl::StatusOr<ModelContext> Make(const OpenModelOptions& options,
                                           std::shared_ptr<MemoryBudget> device_budget);
  // InvalidArgument (code "unknown_component") for a name in component_dtypes that the model has not, with those it has.
  absl::Status CheckComponents(const std::vector<std::string>& names) const;
  // Of the budget, waiting for other runs as long as the options say.
  absl::StatusOr<MemoryLease> Lease(const MemoryBudget::AskFor& ask, const RunOptions& run) const;
  // component_dtypes[component], else dtype, else float32.
  Precision PrecisionOf(const std::string& component) const;
};

// "family-folder" in the letters an id may have: [a-z0-9][a-z0-9._-]{0,63}.
std::string ModelIdOf(const std::string& family, const std::filesystem::path& folder);

}  // namespace grym
