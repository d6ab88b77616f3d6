#include <algorithm>
#include <chrono>
#include <map>

#include "absl/strings/str_format.h"
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/model_orchestrator.h"
#include "orchestrator/cost_table.h"
#include "orchestrator/hand_over.h"
#include "orchestrator/recovery.h"
#include "orchestrator/resource_budget.h"

namespace grym {
namespace {

bool CanDo(const ModelInfo& info, Capability capability) {
  return std::find(info.capabilities.begin(), info.capabilities.end(), capability) != info.capabilities.end();
}

bool MakesAudio(Capability capability) { return capability == Capability::kGenerate || capability == Capability::kEnhance; }

absl::Status CheckInfo(const ModelInfo& info) {
  const auto bad = [&](const std::string& what) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_model_info", "model \"" + Printable(info.id, 80) + "\": " + what);
  };
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (info.id.empty() || info.id.size() > 64 || !plain(info.id[0]) ||
      !std::all_of(info.id.begin(), info.id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; })) {
    return bad("want an id like [a-z0-9][a-z0-9._-]{0,63}");
  }
  if (info.capabilities.empty()) return bad("want at least one capability");
  if (info.weights_bytes < 0) return bad("want weights_bytes >= 0");
  for (const ParamSpec& param : info.params) {
    if (param.name.empty() || param.minimum > param.maximum) return bad("parameter \"" + Printable(param.name, 80) + "\": want a name and minimum <= maximum");
  }
  return absl::OkStatus();
}

// Seconds of audio that a task hears; 0 when only reading the file could tell.
double HeardSeconds(const AudioTask& task) {
  if (task.inputs.empty()) return task.audio.duration_s();
  if (const AudioBuffer* audio = task.inputs[0].audio()) return audio->duration_s();
  const auto info = ProbeAudioFile(*task.inputs[0].path());
  return info.ok() && info->frames > 0 ? static_cast<double>(info->frames) / info->rate_hz : 0;
}

class BuiltinOrchestrator : public ModelOrchestrator {
 public:
  explicit BuiltinOrchestrator(const ModelOrchestratorOptions& options) : budget_(options.budget_bytes, options.cores) {}

  absl::Status Register(std::shared_ptr<const Model> model) override {
    if (!model) return Error(absl::StatusCode::kInvalidArgument, "bad_model_info", "model: want one, got null");
    GRYM_RETURN_IF_ERROR(CheckInfo(model->info()));
    std::lock_guard<std::mutex> lock(mutex_);
    const std::string id = model->info().id;
    if (!models_.emplace(id, std::move(model)).second) {
      return Error(absl::StatusCode::kAlreadyExists, "model_exists", "model \"" + id + "\": an id is registered once");
    }
    return absl::OkStatus();
  }

  std::vector<ModelInfo> Models() const override {
    std::vector<ModelInfo> infos;
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [id, model] : models_) infos.push_back(model->info());
    return infos;
  }

  absl::StatusOr<std::shared_ptr<const Model>> Find(std::string_view id) const override {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = models_.find(id);
    if (found != models_.end()) return found->second;
    std::vector<std::string> ids;
    for (const auto& [known, model] : models_) ids.push_back(known);
    return Error(absl::StatusCode::kNotFound, "no_model", "model \"" + Printable(id) + "\": not registered; registered are " + Join(ids, ", "));
  }

  absl::StatusOr<ModelChain> RouteTask(const AudioTask& task) const override;
  absl::StatusOr<ProcessingResult> ExecuteChain(const ModelChain& chain, const RunOptions& run) override;

  absl::Status OptimizeExecution(const PerformanceMetrics& metrics) override { return costs_.Add(metrics); }
  double SecondsPerAudioSecond(std::string_view model, Capability capability) const override {
    if (const auto measured = costs_.SecondsPerAudioSecond(model, capability)) return *measured;
    const auto found = Find(model);
    return found.ok() ? (*found)->info().seconds_per_audio_second : 0;
  }
  RecoveryStrategy HandleErrors(const ProcessingError& error) const override {
    std::string other;
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [id, model] : models_) {
      if (id != error.model && CanDo(model->info(), Capability::kGenerate)) other = id;
    }
    return StrategyFor(error, other);
  }
  absl::StatusOr<ResourceLease> BalanceResources(const ResourceDemands& demands) override { return budget_.Grant(demands); }
  std::vector<DeviceUse> Use() const override { return budget_.Use(); }

 private:
  std::vector<std::shared_ptr<const Model>> All() const {
    std::vector<std::shared_ptr<const Model>> all;
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [id, model] : models_) all.push_back(model);
    return all;
  }
  ResourceDemands DemandsOf(const ChainLink& link, const ModelInfo& info) const {
    return {link.model, info.device, link.need.weights_bytes + link.need.peak_bytes, std::min(link.need.cores, budget_.cores())};
  }
  ChainLink LinkTo(const Model& model, const AudioTask& task) const;
  absl::Status RunLink(const ChainLink& link, const AudioTask& task, const RunOptions& run, ProcessingResult& result);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Model>, std::less<>> models_;
  CostTable costs_;
  ResourceBudget budget_;
};

ChainLink BuiltinOrchestrator::LinkTo(const Model& model, const AudioTask& task) const {
  const ModelInfo& info = model.info();
  ChainLink link;
  link.model = info.id;
  link.capability = task.capability;
  link.need = model.Need(task.request);
  if (const auto peak = costs_.PeakBytes(info.id, task.capability)) link.need.peak_bytes = std::max(link.need.peak_bytes, *peak);
  link.need.seconds = SecondsPerAudioSecond(info.id, task.capability) * task.request.duration_s;
  if (MakesAudio(task.capability)) {
    link.rate_hz = info.rate_hz;
    link.channels = info.channels;
  }
  return link;
}

absl::StatusOr<ModelChain> BuiltinOrchestrator::RouteTask(const AudioTask& task) const {
  ModelChain chain;
  chain.task = task;
  const Model* best = nullptr;
  double best_seconds = 0;
  absl::Status refusal;
  const std::vector<std::shared_ptr<const Model>> all = All();
  if (!task.model.empty()) GRYM_RETURN_IF_ERROR(Find(task.model).status());
  for (const auto& model : all) {
    const ModelInfo& info = model->info();
    if (!task.model.empty() && info.id != task.model) continue;
    absl::Status status = absl::OkStatus();
    if (!CanDo(info, task.capability)) {
      status = Error(absl::StatusCode::kNotFound, "no_model", absl::StrFormat("it cannot %s", CapabilityName(task.capability)));
    }
    std::vector<std::string> warnings;
    if (status.ok() && MakesAudio(task.capability)) status = CheckRequestForModel(info, task.request, &warnings);
    if (status.ok()) status = budget_.CouldEverGrant(DemandsOf(LinkTo(*model, task), info));
    if (!status.ok()) {
      chain.rejected.push_back(info.id + ": " + std::string(status.message()));
      // The reason that a caller can act on wins over "it does something else".
      if (refusal.ok() || CanDo(info, task.capability)) refusal = status;
      continue;
    }
    const double seconds = SecondsPerAudioSecond(info.id, task.capability);
    if (!best || seconds < best_seconds) {
      best = model.get();
      best_seconds = seconds;
    }
  }
  if (!best) {
    const std::string what = all.empty() ? "nothing is registered" : Join(chain.rejected, "; ");
    const bool missing = refusal.ok() || ErrorCode(refusal) == "no_model";
    if (!missing) return Annotate(refusal, absl::StrFormat("no model can %s this", CapabilityName(task.capability)));
    return Error(absl::StatusCode::kNotFound, "no_model", absl::StrFormat("no model can %s: %s", CapabilityName(task.capability), what));
  }
  chain.links.push_back(LinkTo(*best, task));
  chain.reason = task.model.empty() ? absl::StrFormat("\"%s\" is the fastest that can %s this: %.3g s per second of audio", best->info().id,
                                                      CapabilityName(task.capability), best_seconds)
                                    : absl::StrFormat("\"%s\" was asked for", best->info().id);
  return chain;
}

absl::Status BuiltinOrchestrator::RunLink(const ChainLink& link, const AudioTask& task, const RunOptions& run, ProcessingResult& result) {
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, Find(link.model));
  GRYM_ASSIGN_OR_RETURN(const ResourceLease lease, budget_.Grant(DemandsOf(link, model->info())));
  if (MakesAudio(link.capability)) {
    GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Generator> generator, model->NewGenerator());
    GRYM_ASSIGN_OR_RETURN(result.generated, generator->Generate(task.request, run));
    return CheckGenerated(link, task.request, result.generated);
  }
  if (link.capability == Capability::kEmbedAudio) {
    GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Embedder> embedder, model->NewEmbedder());
    GRYM_ASSIGN_OR_RETURN(result.embedding, embedder->Embed(task.audio, run));
    return CheckEmbedding(link, result.embedding, embedder->dims());
  }
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Analyzer> analyzer, model->NewAnalyzer());
  GRYM_ASSIGN_OR_RETURN(result.json, analyzer->Hear(link.capability, task.inputs, run));
  return absl::OkStatus();
}

absl::StatusOr<ProcessingResult> BuiltinOrchestrator::ExecuteChain(const ModelChain& chain, const RunOptions& run) {
  if (chain.links.empty()) return Error(absl::StatusCode::kInvalidArgument, "empty_chain", "chain: want at least one link; RouteTask makes them");
  ProcessingResult result;
  const double share = 1.0 / static_cast<double>(chain.links.size());
  for (size_t i = 0; i < chain.links.size(); ++i) {
    const ChainLink& link = chain.links[i];
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const auto started = std::chrono::steady_clock::now();
    const absl::Status status = RunLink(link, chain.task, PartOf(run, share * static_cast<double>(i), share * static_cast<double>(i + 1)), result);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    if (!status.ok()) return status;
    const double audio_seconds = MakesAudio(link.capability) ? result.generated.audio.duration_s() : HeardSeconds(chain.task);
    if (audio_seconds > 0) {
      GRYM_RETURN_IF_ERROR(costs_.Add({link.model, link.capability, audio_seconds, seconds, result.generated.peak_bytes, true}));
    }
    result.trace.push_back(absl::StrFormat("%s: %s in %.3f s", link.model, CapabilityName(link.capability), seconds));
  }
  return result;
}

}  // namespace

std::unique_ptr<ModelOrchestrator> ModelOrchestrator::Create(const ModelOrchestratorOptions& options) {
  return std::make_unique<BuiltinOrchestrator>(options);
}

}  // namespace grym
