#include "grymsynth/model_orchestrator.h"

#include "base/status.h"
#include "orchestrator/chain_runner.h"
#include "orchestrator/model_registry.h"
#include "orchestrator/recovery.h"
#include "orchestrator/router.h"

namespace grym {
namespace {

class Orchestrator final : public ModelOrchestrator {
 public:
  explicit Orchestrator(const ModelOrchestratorOptions& options)
      : most_wait_s_(options.most_wait_s), budget_(options.budget_bytes, options.cores) {}

  absl::Status Register(std::shared_ptr<const Model> model) override { return registry_.Add(std::move(model)); }
  absl::Status Unregister(std::string_view id) override {
    GRYM_RETURN_IF_ERROR(registry_.Remove(id));
    costs_.Forget(id);
    return absl::OkStatus();
  }
  std::vector<ModelInfo> Models() const override { return registry_.Infos(); }
  absl::StatusOr<std::shared_ptr<const Model>> Find(std::string_view id) const override { return registry_.Find(id); }
  absl::StatusOr<ModelChain> RouteTask(const AudioTask& task) const override {
    return Route(task, registry_, costs_, budget_.budget_bytes());
  }
  absl::StatusOr<ProcessingResult> ExecuteChain(const ModelChain& chain, const RunOptions& run) override {
    return RunChain(chain, registry_, costs_, budget_, most_wait_s_, run);
  }
  absl::Status OptimizeExecution(const PerformanceMetrics& metrics) override {
    GRYM_RETURN_IF_ERROR(registry_.Find(metrics.model).status());
    GRYM_RETURN_IF_ERROR(CheckMetrics(metrics));
    costs_.Record(metrics);
    return absl::OkStatus();
  }
  double SecondsPerAudioSecond(std::string_view model, Capability capability) const override {
    if (const auto measured = costs_.SecondsPerAudioSecond(model, capability)) return *measured;
    const auto found = registry_.Find(model);
    return found.ok() ? (*found)->info().seconds_per_audio_second : 0;
  }
  RecoveryStrategy HandleErrors(const ProcessingError& error) const override {
    return ChooseRecovery(error,
                          [this](const std::string& model, bool smaller) { return registry_.StandIn(model, smaller); });
  }
  absl::StatusOr<ResourceLease> BalanceResources(const ResourceDemands& demands) override {
    return budget_.Lease(demands);
  }
  absl::StatusOr<ResourceLease> LeaseInTurn(const ResourceDemands& demands, const RunOptions& run) override {
    return budget_.LeaseInTurn(demands, run, most_wait_s_);
  }
  std::vector<DeviceUse> Use() const override { return budget_.Use(); }

 private:
  ModelRegistry registry_;
  CostTable costs_;
  const double most_wait_s_;
  ResourceBudget budget_;
};

// A switch without default, so that a new capability cannot be forgotten here.
bool CanBeATask(Capability capability) {
  switch (capability) {
    case Capability::kGenerate:
    case Capability::kEnhance:
    case Capability::kEmbedAudio:
    case Capability::kAnalyze:
    case Capability::kClassifyStyle:
    case Capability::kDetectPatterns:
    case Capability::kCompare:
    case Capability::kEmbedText: return true;
    case Capability::kStream:
    case Capability::kCode: return false;
  }
  return false;
}

}  // namespace

absl::StatusOr<Capability> TaskCapability(std::string_view name) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(Capability::kEmbedText); ++i) {
    const auto capability = static_cast<Capability>(i);
    if (!CanBeATask(capability)) continue;
    if (CapabilityName(capability) == name) return capability;
    names += " " + std::string(CapabilityName(capability));
  }
  return absl::InvalidArgumentError("capability: want one of" + names + ", got \"" + Printable(name, 100) + "\"");
}

std::unique_ptr<ModelOrchestrator> ModelOrchestrator::Create(const ModelOrchestratorOptions& options) {
  return std::make_unique<Orchestrator>(options);
}

}  // namespace grym
