#include <optional>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "nn/schedulers/scheduler.h"

namespace grym {
namespace {

// A member that has to have this value where it is there.
absl::Status WantValue(const Json& json, const std::string& where, const char* field, const Json& value) {
  const Json* found = json.find(field);
  if (!found || found->is_null() || *found == value) return absl::OkStatus();
  return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
               Formatted("%s: %s: want %s, got %s", where.c_str(), field, value.Dump().c_str(),
                         Printable(found->Dump(), 64).c_str()));
}

// The first of `names`' index, for a text that the reader has checked.
template <class Choice>
void ReadChoice(ConfigReader& reader, const char* field, const std::vector<std::string>& names, Choice* choice) {
  std::string text = names[static_cast<size_t>(*choice)];
  TextRule rule;
  rule.choices = names;
  reader.Text(field, &text, rule);
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) *choice = static_cast<Choice>(i);
  }
}

void ReadSolver(ConfigReader& reader, SchedulerConfig& config) {
  reader.Int("solver_order", &config.solver_order, {1, 2});
  int heun = 0, sigma_min = 0;
  ReadChoice(reader, "solver_type", {"midpoint", "heun"}, &heun);
  ReadChoice(reader, "final_sigmas_type", {"zero", "sigma_min"}, &sigma_min);
  config.heun = heun != 0;
  config.final_sigma_zero = sigma_min == 0;
  reader.Bool("lower_order_final", &config.lower_order_final);
  reader.Bool("euler_at_final", &config.euler_at_final);
  reader.Bool("use_karras_sigmas", &config.use_karras_sigmas);
}

absl::Status CheckBuiltSchedule(const Json& json, const std::string& where, SchedulerKind kind) {
  GRYM_RETURN_IF_ERROR(WantValue(json, where, "thresholding", false));
  GRYM_RETURN_IF_ERROR(WantValue(json, where, "trained_betas", nullptr));
  if (kind == SchedulerKind::kDdim) return absl::OkStatus();
  GRYM_RETURN_IF_ERROR(WantValue(json, where, "algorithm_type", "dpmsolver++"));
  for (const char* field : {"use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas",
                            "use_dynamic_shifting"}) {
    GRYM_RETURN_IF_ERROR(WantValue(json, where, field, false));
  }
  for (const char* field : {"variance_type", "lambda_min_clipped", "sigma_min", "sigma_max"})
    GRYM_RETURN_IF_ERROR(WantValue(json, where, field, nullptr));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SchedulerConfig> ReadSchedulerConfig(const Json& json, const std::string& where) {
  const std::string name = json.at("_class_name").text();
  if (name == "DDIMScheduler") return ReadSchedulerConfig(json, where, SchedulerKind::kDdim);
  if (name == "DPMSolverMultistepScheduler") return ReadSchedulerConfig(json, where, SchedulerKind::kDpmSolver);
  return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
               where + ": _class_name: want DDIMScheduler or DPMSolverMultistepScheduler, got \"" +
                   Printable(name, 64) + "\"");
}

absl::StatusOr<SchedulerConfig> ReadSchedulerConfig(const Json& json, const std::string& where, SchedulerKind kind) {
  GRYM_RETURN_IF_ERROR(CheckBuiltSchedule(json, where, kind));
  SchedulerConfig config;
  config.kind = kind;
  ConfigReader reader(json, where);
  reader.Ignore({"_class_name", "_diffusers_version", "skip_prk_steps", "dynamic_thresholding_ratio",
                 "sample_max_value", "thresholding", "trained_betas", "algorithm_type", "use_exponential_sigmas",
                 "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting", "variance_type",
                 "lambda_min_clipped", "sigma_min", "sigma_max", "flow_shift", "time_shift_type"});
  reader.Int("num_train_timesteps", &config.num_train_timesteps, {1, 100'000});
  reader.Number("beta_start", &config.beta_start, {1e-12, 0.999});
  reader.Number("beta_end", &config.beta_end, {1e-12, 0.999});
  ReadChoice(reader, "beta_schedule", {"linear", "scaled_linear", "squaredcos_cap_v2"}, &config.beta_schedule);
  ReadChoice(reader, "prediction_type", {"epsilon", "sample", "v_prediction"}, &config.prediction);
  if (kind == SchedulerKind::kDpmSolver) config.spacing = TimestepSpacing::kLinspace;
  ReadChoice(reader, "timestep_spacing", {"leading", "trailing", "linspace"}, &config.spacing);
  reader.Int("steps_offset", &config.steps_offset, {0, 100'000});
  reader.Bool("rescale_betas_zero_snr", &config.rescale_betas_zero_snr);
  if (kind == SchedulerKind::kDdim) {
    reader.Bool("clip_sample", &config.clip_sample);
    reader.Number("clip_sample_range", &config.clip_sample_range, {0, 1e6});
    reader.Bool("set_alpha_to_one", &config.set_alpha_to_one);
    if (config.rescale_betas_zero_snr && config.prediction == Prediction::kEpsilon)
      reader.Contradiction("rescale_betas_zero_snr",
                           "want false beside prediction_type epsilon: noise without any signal tells nothing");
  } else {
    ReadSolver(reader, config);
  }
  config.ignored_fields = reader.UnknownFields();
  GRYM_RETURN_IF_ERROR(reader.Finish());
  // The reference cuts times between two training steps to whole ones there, which its rounding decides.
  if (config.use_karras_sigmas && config.beta_schedule == BetaSchedule::kSquaredCosine) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
                 where + ": use_karras_sigmas: want false beside beta_schedule squaredcos_cap_v2, got true");
  }
  return config;
}

}  // namespace grym
