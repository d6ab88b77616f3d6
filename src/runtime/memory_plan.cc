#include "runtime/memory_plan.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "runtime/tensor.h"

namespace grym {
namespace {

bool IsElsewhere(const PhasePlan& phase) { return !phase.device.empty(); }

}  // namespace

int64_t MemoryPlan::weights_bytes() const {
  int64_t sum = 0, most = 0;
  for (const PhasePlan& phase : phases) {
    if (IsElsewhere(phase)) continue;
    sum += phase.weights_bytes;
    most = std::max(most, phase.weights_bytes);
  }
  return keep_weights ? sum : most;
}

int64_t MemoryPlan::peak_bytes() const {
  int64_t working = 0, phase_most = 0;
  for (const PhasePlan& phase : phases) {
    if (IsElsewhere(phase)) continue;
    working = std::max(working, phase.working_bytes);
    phase_most = std::max(phase_most, phase.weights_bytes + phase.working_bytes);
  }
  return keep_weights ? weights_bytes() + working : phase_most;
}

Json MemoryPlan::ToJson() const {
  Json json = Json::Object();
  json["schema"] = "grymsynth.plan/1";
  json["device"] = device;
  json["budgetBytes"] = budget_bytes;
  json["enforcedBy"] = enforced_by;
  json["weightsBytes"] = weights_bytes();
  json["peakBytes"] = peak_bytes();
  json["keepWeights"] = keep_weights;
  Json& parts = json["phases"] = Json::Array();
  for (const PhasePlan& phase : phases) {
    Json part = Json::Object();
    part["component"] = phase.component;
    part["dtype"] = PrecisionName(phase.precision);
    part["weightsBytes"] = phase.weights_bytes;
    part["workingBytes"] = phase.working_bytes;
    part["tiling"] = phase.tiling;
    part["streamed"] = phase.streamed;
    if (!phase.note.empty()) part["note"] = phase.note;
    if (!phase.device.empty()) part["device"] = phase.device;
    parts.push_back(std::move(part));
  }
  json["levers"] = Json::ArrayOf(levers);
  json["ignoredFields"] = Json::ArrayOf(ignored_fields);
  json["unreadTensors"] = Json::ArrayOf(unread_tensors);
  return json;
}

void PutBefore(const std::vector<std::string>& evicted, MemoryPlan& plan) {
  plan.levers.insert(plan.levers.begin(), evicted.begin(), evicted.end());
}

absl::Status OverBudget(const std::string& where, const MemoryPlan& plan) {
  return Error(absl::StatusCode::kResourceExhausted, "over_budget",
               Formatted("%s: want %d bytes on %s, the budget is %d%s", where.c_str(), plan.peak_bytes(),
                         plan.device.c_str(), plan.budget_bytes,
                         plan.levers.empty() ? "" : (" (after: " + Join(plan.levers, ", ") + ")").c_str()));
}

ResourceNeed NeedOf(const MemoryPlan& plan, double seconds) {
  ResourceNeed need;
  need.weights_bytes = plan.weights_bytes();
  need.peak_bytes = plan.peak_bytes() - plan.weights_bytes();
  need.cores = at::get_num_threads();
  need.seconds = seconds;
  return need;
}

void LowerUntilItFits(std::optional<Precision>& lowered, const std::function<bool(bool may_stream)>& fits) {
  if (fits(false)) return;
  for (const Precision lower : {Precision::kBFloat16, Precision::kInt8, Precision::kInt4}) {
    lowered = lower;
    if (fits(/*may_stream=*/true)) return;
  }
}

}  // namespace grym
