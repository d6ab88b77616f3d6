#include "grymsynth/torch_models.h"

#include <map>
#include <mutex>

#include "base/status.h"
#include "models/register_all.h"
#include "runtime/device_memory.h"

namespace grym {
namespace {

// One budget for each device, made by the first model on it.
class DeviceBudgets {
 public:
  std::shared_ptr<MemoryBudget> For(c10::Device device, int64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<MemoryBudget>& budget = budgets_[device.str()];
    if (!budget) {
      budget = std::make_shared<MemoryBudget>(bytes > 0 ? bytes : int64_t{6} << 30, device.str(),
                                              NewDeviceMemory(device));
    }
    return budget;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<MemoryBudget>> budgets_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenNative(DeviceBudgets& budgets, const std::filesystem::path& path,
                                                        const OpenModelOptions& options) {
  GRYM_ASSIGN_OR_RETURN(const c10::Device device, ParseDevice(options.device));
  GRYM_ASSIGN_OR_RETURN(const ModelContext context,
                        ModelContext::Make(options, budgets.For(device, options.device_budget_bytes)));
  GRYM_ASSIGN_OR_RETURN(const ModelFolder folder, ModelFolder::Open(path));
  std::vector<std::string> names;
  for (const ModelFamily& family : ModelFamilies()) {
    if (folder.family() == family.name) return family.open(folder, context);
    names.push_back(family.name);
  }
  return Error(absl::StatusCode::kUnimplemented, "unknown_family",
               "open model " + Printable(path.string()) + ": want one of " + Join(names, ", ") + ", got \"" +
                   Printable(folder.family()) + "\"");
}

}  // namespace

ModelOpener TorchModelOpener() {
  return [budgets = std::make_shared<DeviceBudgets>()](const std::filesystem::path& folder,
                                                       const OpenModelOptions& options) {
    return OpenNative(*budgets, folder, options);
  };
}

void RegisterTorch(Engine& engine) { engine.AddModelOpener(TorchModelOpener()); }

}  // namespace grym
