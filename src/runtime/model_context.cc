#include "runtime/model_context.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "runtime/device_memory.h"

namespace grym {

absl::StatusOr<ModelContext> ModelContext::Make(const OpenModelOptions& options,
                                                std::shared_ptr<MemoryBudget> device_budget) {
  ModelContext context;
  context.options = options;
  GRYM_ASSIGN_OR_RETURN(context.device, ParseDevice(options.device));
  const auto check = [&](const std::string& dtype) -> absl::Status {
    GRYM_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(dtype));
    return CheckPrecision(precision, context.device);
  };
  if (!options.dtype.empty()) GRYM_RETURN_IF_ERROR(check(options.dtype));
  for (const auto& [component, dtype] : options.component_dtypes) {
    const absl::Status status = check(dtype);
    if (!status.ok()) return Annotate(status, "component \"" + Printable(component) + "\"");
  }
  if (options.budget_bytes < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_budget",
                 "budget_bytes: want 0 or more, got " + std::to_string(options.budget_bytes));
  }
  if (!(options.most_wait_s >= 0)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_wait",
                 Formatted("most_wait_s: want 0 or more, got %g", options.most_wait_s));
  }
  context.budget = options.budget_bytes == 0 && device_budget
                       ? std::move(device_budget)
                       : std::make_shared<MemoryBudget>(
                             options.budget_bytes == 0 ? int64_t{6} << 30 : options.budget_bytes, context.device.str(),
                             NewDeviceMemory(context.device));
  return context;
}

absl::Status ModelContext::CheckComponents(const std::vector<std::string>& names) const {
  for (const auto& [component, dtype] : options.component_dtypes) {
    if (std::find(names.begin(), names.end(), component) != names.end()) continue;
    return Error(absl::StatusCode::kInvalidArgument, "unknown_component",
                 "component_dtypes: want one of " + Join(names, ", ") + ", got \"" + Printable(component) + "\"");
  }
  return absl::OkStatus();
}

Precision ModelContext::PrecisionOf(const std::string& component) const {
  const auto own = options.component_dtypes.find(component);
  const auto precision = ParsePrecision(own == options.component_dtypes.end() ? options.dtype : own->second);
  return precision.value_or(Precision::kFloat32);  // Make has checked the names; "" is float32
}

absl::StatusOr<MemoryLease> ModelContext::Lease(const MemoryBudget::AskFor& ask, const RunOptions& run) const {
  return budget->Lease(ask, run, options.most_wait_s);
}

std::string ModelIdOf(const std::string& family, const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path whole = std::filesystem::absolute(folder, ignored).lexically_normal();
  if (whole.filename().empty()) whole = whole.parent_path();
  const std::string name = whole.filename().string();
  std::string id = name.rfind(family, 0) == 0 ? "" : family + "-";
  id += name;
  for (char& letter : id) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    const bool legal = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '.' ||
                       letter == '_' || letter == '-';
    if (!legal) letter = '-';
  }
  return id.substr(0, 64);
}

}  // namespace grym
