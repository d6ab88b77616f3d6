#include "orchestrator/router.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {
namespace {

struct Choice {
  ChainLink link;
  std::string reason;
};

bool HasInput(const AudioTask& task) { return !task.audio.empty() || !task.inputs.empty(); }

// Seconds of audio that the link works on, as far as they are known before it runs.
double AudioSeconds(const AudioTask& task, Capability capability) {
  if (MakesAudio(capability)) {
    const GenerateAudioRequest& request = task.request;
    if (request.reference_buffer) return request.reference_buffer->duration_s();
    if (request.reference_audio.empty()) return request.duration_s;
    AudioTask recording;
    recording.inputs.push_back(AudioInput(request.reference_audio));
    const double seconds = HeardSeconds(recording);
    return seconds > 0 ? seconds : request.duration_s;
  }
  const double heard = HeardSeconds(task);
  return heard > 0 ? heard : task.request.duration_s;
}

ChainLink MakeLink(const Model& model, const AudioTask& task, Capability capability, const CostTable& costs) {
  const ModelInfo& info = model.info();
  GenerateAudioRequest request = task.request;
  request.duration_s = std::max(1e-3, AudioSeconds(task, capability));
  ChainLink link{info.id, capability,
                 MakesAudio(capability) ? model.Need(request) : model.NeedToHear(capability, request.duration_s), 0, 0};
  if (MakesAudio(capability)) {
    link.rate_hz = info.rate_hz;
    link.channels = info.channels;
  }
  // What the model states is for this request; what was measured is of others, and with the weights.
  if (link.need.peak_bytes <= 0)
    link.need.peak_bytes = std::max<int64_t>(0, costs.PeakBytes(info.id, capability) - link.need.weights_bytes);
  if (const auto measured = costs.SecondsPerAudioSecond(info.id, capability)) {
    link.need.seconds = *measured * request.duration_s;
  } else if (link.need.seconds <= 0) {
    link.need.seconds = info.seconds_per_audio_second * request.duration_s;
  }
  return link;
}

// "" when the model can do it, else why not.
std::string WhyNot(const ModelInfo& info, const ChainLink& link, const AudioTask& task, Capability capability,
                   int64_t budget_bytes) {
  if (!HasCapability(info, capability)) return "cannot " + std::string(CapabilityName(capability));
  if (MakesAudio(capability)) {
    const absl::Status fits = CheckRequestForModel(info, task.request, nullptr);
    if (!fits.ok()) return std::string(fits.message());
  }
  const int64_t bytes = link.need.weights_bytes + link.need.peak_bytes;
  const int64_t budget = info.own_budget_bytes > 0 ? info.own_budget_bytes : budget_bytes;
  if (bytes > budget) return Formatted("needs %d bytes, budget %d", bytes, budget);
  return "";
}

absl::StatusOr<Choice> ChooseNamed(const std::string& id, const AudioTask& task, Capability capability,
                                   const ModelRegistry& registry, const CostTable& costs, int64_t budget_bytes) {
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, registry.Find(id));
  const ModelInfo& info = model->info();
  Choice choice{MakeLink(*model, task, capability, costs), "model \"" + id + "\" was asked for"};
  if (!HasCapability(info, capability)) {
    std::vector<std::string> can;
    for (const Capability each : info.capabilities) can.emplace_back(CapabilityName(each));
    return Error(absl::StatusCode::kNotFound, "no_model",
                 "model \"" + id + "\": want one that can " + std::string(CapabilityName(capability)) + ", it can " +
                     Join(can, ", "));
  }
  if (MakesAudio(capability)) GRYM_RETURN_IF_ERROR(CheckRequestForModel(info, task.request, nullptr));
  const std::string reason = WhyNot(info, choice.link, task, capability, budget_bytes);
  if (!reason.empty())
    return Error(absl::StatusCode::kResourceExhausted, "resource_impossible", "model \"" + id + "\": " + reason);
  return choice;
}

// InvalidArgument when a single model could, but for the request; ResourceExhausted when only the budget is short.
absl::Status NobodyCan(Capability capability, const std::vector<std::shared_ptr<const Model>>& models,
                       const std::vector<std::string>& rejected, const absl::Status& only_request_error,
                       bool only_budget) {
  if (!only_request_error.ok()) return only_request_error;
  const std::string what = "want a model that can " + std::string(CapabilityName(capability));
  if (models.empty()) return Error(absl::StatusCode::kNotFound, "no_model", what + ": none is registered");
  if (only_budget)
    return Error(absl::StatusCode::kResourceExhausted, "resource_impossible",
                 what + "; registered: " + Join(rejected, "; "));
  return Error(absl::StatusCode::kNotFound, "no_model", what + "; registered: " + Join(rejected, "; "));
}

absl::StatusOr<Choice> ChooseAny(const AudioTask& task, Capability capability, const ModelRegistry& registry,
                                 const CostTable& costs, int64_t budget_bytes, std::vector<std::string>& rejected) {
  const auto models = registry.All();
  std::vector<ChainLink> able;
  std::vector<std::string> turned_down;
  absl::Status request_error;
  int capable = 0, too_big = 0;
  for (const auto& model : models) {
    const ModelInfo& info = model->info();
    ChainLink link = MakeLink(*model, task, capability, costs);
    const std::string reason = WhyNot(info, link, task, capability, budget_bytes);
    if (reason.empty()) {
      able.push_back(std::move(link));
      continue;
    }
    turned_down.push_back(info.id + ": " + reason);
    if (!HasCapability(info, capability)) continue;
    ++capable;
    const absl::Status fits =
        MakesAudio(capability) ? CheckRequestForModel(info, task.request, nullptr) : absl::OkStatus();
    if (fits.ok()) ++too_big;
    if (!fits.ok()) request_error = fits;
  }
  rejected.insert(rejected.end(), turned_down.begin(), turned_down.end());
  if (able.empty()) {
    return NobodyCan(capability, models, turned_down, capable == 1 ? request_error : absl::OkStatus(),
                     capable > 0 && too_big == capable);
  }
  const auto best = std::min_element(
      able.begin(), able.end(), [](const ChainLink& a, const ChainLink& b) { return a.need.seconds < b.need.seconds; });
  for (const ChainLink& link : able) {
    if (link.model != best->model)
      rejected.push_back(
          Formatted("%s: slower, %.3g s against %.3g s", link.model, link.need.seconds, best->need.seconds));
  }
  const int runs = costs.Runs(best->model, capability);
  const std::string basis = runs > 0 ? Formatted("measured over %d runs", runs) : "as declared";
  Choice choice{*best, able.size() == 1 ? Formatted("\"%s\" is the only model that can %s it", best->model,
                                                          std::string(CapabilityName(capability)))
                                        : Formatted("\"%s\" is the fastest of %d that can %s it", best->model,
                                                          able.size(), std::string(CapabilityName(capability)))};
  choice.reason += Formatted(" (%.3g s estimated, %s)", best->need.seconds, basis);
  return choice;
}

}  // namespace

double HeardSeconds(const AudioTask& task) {
  if (task.inputs.empty()) return task.audio.duration_s();
  if (const AudioBuffer* audio = task.inputs[0].audio()) return audio->duration_s();
  const auto info = ProbeAudioFile(*task.inputs[0].path());
  return info.ok() && info->frames > 0 ? static_cast<double>(info->frames) / info->rate_hz : 0;
}

ResourceDemands DemandsOf(const ModelInfo& info, const ResourceNeed& need) {
  return {info.id, info.device, info.own_budget_bytes > 0 ? 0 : need.weights_bytes + need.peak_bytes, need.cores};
}

bool MakesAudio(Capability capability) {
  return capability == Capability::kGenerate || capability == Capability::kEnhance;
}

absl::Status CheckMetrics(const PerformanceMetrics& metrics) {
  const bool good = std::isfinite(metrics.audio_seconds) && metrics.audio_seconds > 0 &&
                    std::isfinite(metrics.wall_seconds) && metrics.wall_seconds >= 0 && metrics.peak_bytes >= 0;
  if (good) return absl::OkStatus();
  return Error(
      absl::StatusCode::kInvalidArgument, "bad_metrics",
      Formatted("model \"%s\": want audio_seconds > 0, wall_seconds >= 0 and peak_bytes >= 0, got %g, %g and %d",
                      Printable(metrics.model, 64), metrics.audio_seconds, metrics.wall_seconds, metrics.peak_bytes));
}

absl::StatusOr<ModelChain> Route(const AudioTask& task, const ModelRegistry& registry, const CostTable& costs,
                                 int64_t budget_bytes) {
  const bool makes = MakesAudio(task.capability), reads = task.capability == Capability::kEmbedText;
  const bool generates_first =
      !makes && !reads && task.capability != Capability::kCompare && !HasInput(task) && !task.request.prompt.empty();
  if (makes || reads || generates_first) GRYM_RETURN_IF_ERROR(ValidateRequest(task.request));
  if (!makes && !reads && !generates_first && !HasInput(task)) {
    return Error(absl::StatusCode::kInvalidArgument, "missing_input",
                 "task " + std::string(CapabilityName(task.capability)) + ": want audio, inputs or a prompt, got none");
  }
  if (makes && !task.model.empty() && !task.request.model.empty() && task.model != task.request.model) {
    return Error(absl::StatusCode::kInvalidArgument, "model_conflict",
                 "task: want one model, got \"" + Printable(task.model, 64) + "\" and \"" +
                     Printable(task.request.model, 64) + "\" in its request");
  }
  ModelChain chain;
  chain.task = task;
  const auto add = [&](Capability capability, const std::string& named) -> absl::Status {
    absl::StatusOr<Choice> choice = named.empty()
                                        ? ChooseAny(task, capability, registry, costs, budget_bytes, chain.rejected)
                                        : ChooseNamed(named, task, capability, registry, costs, budget_bytes);
    GRYM_RETURN_IF_ERROR(choice.status());
    chain.reason += (chain.reason.empty() ? "" : "; then ") + choice->reason;
    chain.links.push_back(std::move(choice->link));
    return absl::OkStatus();
  };
  if (generates_first) GRYM_RETURN_IF_ERROR(add(Capability::kGenerate, task.request.model));
  GRYM_RETURN_IF_ERROR(add(task.capability, !task.model.empty() ? task.model : makes ? task.request.model : ""));
  return chain;
}

}  // namespace grym
