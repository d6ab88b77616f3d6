// How a diffusion model's noise grows with time, and the walk back from noise to what the model makes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "runtime/tensor.h"

namespace grym {

enum class SchedulerKind { kDdim, kDpmSolver };
enum class BetaSchedule { kLinear, kScaledLinear, kSquaredCosine };
enum class Prediction { kEpsilon, kSample, kVelocity };
enum class TimestepSpacing { kLeading, kTrailing, kLinspace, kSolver };  // the last is ours: SpacedForSolver

// The fields of diffusers' DDIMScheduler and DPMSolverMultistepScheduler (0.42), by their names there; the defaults are
// those of the kind that is read.
struct SchedulerConfig {
  SchedulerKind kind = SchedulerKind::kDdim;
  int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  Prediction prediction = Prediction::kEpsilon;
  TimestepSpacing spacing = TimestepSpacing::kLeading;
  int64_t steps_offset = 0;
  bool rescale_betas_zero_snr = false;
  // DDIM alone.
  bool clip_sample = true;
  double clip_sample_range = 1;
  bool set_alpha_to_one = true;
  // DPM-Solver++ alone.
  int64_t solver_order = 2;  // 1 or 2
  bool heun = false;         // solver_type; else midpoint
  bool lower_order_final = true, euler_at_final = false;
  bool use_karras_sigmas = false;
  bool final_sigma_zero = true;  // final_sigmas_type; else "sigma_min"
  int64_t solver_start = 0;      // of kSolver: the first time
  std::vector<std::string> ignored_fields;
};

// scheduler/scheduler_config.json, for the class that it names.
// InvalidArgument (code "bad_config") with all that is wrong; Unimplemented ("unsupported_config") for another class or
// for a value that asks for what is not built, with the field and the value.
absl::StatusOr<SchedulerConfig> ReadSchedulerConfig(const Json& json, const std::string& where);
// The same fields read for the other kind, as the reference's from_config does: what the file does not say has that
// kind's default.
absl::StatusOr<SchedulerConfig> ReadSchedulerConfig(const Json& json, const std::string& where, SchedulerKind kind);

// `config` of a folder of another kind, for few steps of DPM-Solver++: it starts and ends with the noise that 200 steps
// of the folder's own start and end with. The times between are nine parts by noise over signal as Karras et al. divide it
// ("Elucidating the Design Space of Diffusion-Based Generative Models", 2022, equation 5), and one part even in time.
// Differs: rho 15 for 7, between theirs and the even steps of the logarithm of Lu et al. ("DPM-Solver", 2022, section
// 3.4). By measurement on mixtures of normal clouds and on random weights, where theirs and Lu's each are better on one
// and worse on the other (models/audioldm, README.md).
SchedulerConfig SpacedForSolver(SchedulerConfig config, const SchedulerConfig& own);

// The share of the signal's power that is left after each training step: [num_train_timesteps], falling from near 1.
// Source: Ho et al., "Denoising Diffusion Probabilistic Models", 2020, equation 4; Nichol and Dhariwal, 2021, equation
// 17 (squared cosine); Lin et al., "Common Diffusion Noise Schedules", 2023, algorithm 1 (zero terminal signal). Differs
// from diffusers: in double, where it rounds every step to float32.
std::vector<double> CumulativeAlphas(const SchedulerConfig& config);

// One walk. Belongs to one thread. The coefficients are computed in double, the tensors stay in their own type.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // InvalidArgument (code "bad_steps") unless steps is in [1, what the schedule has times for].
  static absl::StatusOr<std::unique_ptr<Scheduler>> Create(const SchedulerConfig& config, int64_t steps);

  // What the model is told, falling; one for each step.
  const std::vector<int64_t>& timesteps() const { return timesteps_; }
  int64_t steps() const { return static_cast<int64_t>(timesteps_.size()); }
  // The next one to be done.
  int64_t position() const { return position_; }
  bool done() const { return position_ >= steps(); }
  // The initial noise is multiplied by it.
  double init_noise_sigma() const { return 1.0; }

  // From what the model answered to `sample` at timesteps()[position()] to the sample of the next position. `output` is
  // overwritten. Requires !done().
  virtual at::Tensor Step(at::Tensor output, const at::Tensor& sample) = 0;

  // original and noise mixed as they are when position `position` is about to be done; steps() answers the original.
  at::Tensor AddNoise(const at::Tensor& original, const at::Tensor& noise, int64_t position) const;
  // Starts at `position`, as if nothing had been done before. Requires 0 <= position <= steps().
  void StartAt(int64_t position);

  // What a walk that was interrupted needs beside its latents: the position, and what the step before predicted.
  struct State {
    int64_t position = 0;
    at::Tensor previous;  // undefined where there is none
  };
  State state() const { return {position_, previous_}; }
  void Restore(const State& state);

 protected:
  Scheduler(const SchedulerConfig& config, std::vector<int64_t> timesteps)
      : config_(config), timesteps_(std::move(timesteps)) {}
  // The signal's and the noise's share at a position; 1 and 0 at the end.
  struct Mix {
    double signal = 1, noise = 0;
  };
  virtual Mix MixAt(int64_t position) const = 0;

  const SchedulerConfig config_;
  std::vector<int64_t> timesteps_;
  int64_t position_ = 0;
  at::Tensor previous_;
};

}  // namespace grym
