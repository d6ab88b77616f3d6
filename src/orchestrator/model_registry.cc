#include "orchestrator/model_registry.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/status.h"
#include "model/json_fields.h"
#include "model/request_rules.h"
#include "model/request_support.h"

namespace grym {
namespace {

void CheckParams(const ModelInfo& info, std::vector<Problem>& problems) {
  std::set<std::string> names;
  for (const ParamSpec& spec : info.params) {
    if (spec.name.empty() || !names.insert(spec.name).second) {
      problems.push_back(
          {"/params", "bad_parameter", "want distinct names, got \"" + Printable(spec.name, 64) + "\"", ""});
    }
    if (!std::isfinite(spec.minimum) || !std::isfinite(spec.maximum) || spec.minimum > spec.maximum) {
      problems.push_back(
          {"/params", "bad_parameter", "\"" + Printable(spec.name, 64) + "\": want finite minimum <= maximum", ""});
    }
    if (spec.type == ParamType::kChoice && spec.choices.empty()) {
      problems.push_back(
          {"/params", "bad_parameter", "\"" + Printable(spec.name, 64) + "\": want choices, got none", ""});
    }
  }
}

std::vector<Problem> CheckInfo(const ModelInfo& info) {
  std::vector<Problem> problems;
  const auto want = [&](bool good, const char* pointer, const std::string& message) {
    if (!good) problems.push_back({pointer, "out_of_range", message, ""});
  };
  want(IsModelId(info.id), "/id", "want [a-z0-9][a-z0-9._-]{0,63}, got \"" + Printable(info.id, 80) + "\"");
  want(!info.capabilities.empty(), "/capabilities", "want at least one capability, got none");
  want(!info.device.empty(), "/device", "want a device, got none");
  want(info.rate_hz == 0 || (info.rate_hz >= AudioBuffer::kMinRateHz && info.rate_hz <= AudioBuffer::kMaxRateHz),
       "/rate_hz", "want [1000, 768000], or 0 for the recording's, got " + std::to_string(info.rate_hz));
  want(info.channels >= 0 && info.channels <= AudioBuffer::kMaxChannels, "/channels",
       "want [1, 32], or 0 for the recording's, got " + std::to_string(info.channels));
  want(info.weights_bytes >= 0, "/weights_bytes", "want 0 or more, got " + std::to_string(info.weights_bytes));
  want(std::isfinite(info.seconds_per_audio_second) && info.seconds_per_audio_second >= 0, "/seconds_per_audio_second",
       "want a finite number from 0");
  const std::vector<std::string>& known = RequestFieldNames();
  for (const std::string& field : info.request_fields) {
    if (std::find(known.begin(), known.end(), field) != known.end()) continue;
    problems.push_back({"/request_fields", "unknown_field",
                        "want a field of GenerateAudioRequest, got \"" + Printable(field, 64) + "\"",
                        NearestName(field, known)});
  }
  CheckParams(info, problems);
  return problems;
}

}  // namespace

bool HasCapability(const ModelInfo& info, Capability capability) {
  return std::find(info.capabilities.begin(), info.capabilities.end(), capability) != info.capabilities.end();
}

absl::Status ModelRegistry::Add(std::shared_ptr<const Model> model) {
  if (!model) return Error(absl::StatusCode::kInvalidArgument, "bad_model_info", "register: want a model, got null");
  const std::vector<Problem> problems = CheckInfo(model->info());
  if (!problems.empty())
    return ProblemsError("bad_model_info", "model \"" + Printable(model->info().id, 80) + "\"", problems);
  std::lock_guard<std::mutex> lock(mutex_);
  const std::string id = model->info().id;
  if (models_.emplace(id, std::move(model)).second) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists, "model_exists", "model \"" + id + "\" is registered already");
}

absl::Status ModelRegistry::Remove(std::string_view id) {
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> kept, Find(id));  // let go of after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  models_.erase(kept->info().id);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Model>> ModelRegistry::Find(std::string_view id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = models_.find(id);
  if (found != models_.end()) return found->second;
  std::vector<std::string> ids;
  for (const auto& [known, model] : models_) ids.push_back(known);
  const std::string hint = NearestName(id, ids);
  return Error(absl::StatusCode::kNotFound, "unknown_model",
               "model: want one of " + (ids.empty() ? "(none is registered)" : Join(ids, ", ")) + ", got \"" +
                   Printable(id, 80) + "\"" + (hint.empty() ? "" : " (did you mean \"" + hint + "\"?)"));
}

std::vector<std::shared_ptr<const Model>> ModelRegistry::All() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::shared_ptr<const Model>> all;
  for (const auto& [id, model] : models_) all.push_back(model);
  return all;
}

std::vector<ModelInfo> ModelRegistry::Infos() const {
  std::vector<ModelInfo> infos;
  for (const auto& model : All()) infos.push_back(model->info());
  return infos;
}

std::string ModelRegistry::StandIn(const std::string& id, bool smaller) const {
  const auto failed = Find(id);
  if (!failed.ok()) return "";
  const ModelInfo& wanted = (*failed)->info();
  for (const auto& model : All()) {
    const ModelInfo& info = model->info();
    if (info.id == id || (smaller && info.weights_bytes >= wanted.weights_bytes)) continue;
    const bool shares = std::any_of(wanted.capabilities.begin(), wanted.capabilities.end(),
                                    [&](Capability capability) { return HasCapability(info, capability); });
    if (shares) return info.id;
  }
  return "";
}

}  // namespace grym
