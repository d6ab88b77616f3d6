#include "nn/schedulers/scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/status.h"
#include "nn/schedulers/ddim.h"
#include "nn/schedulers/dpm_solver.h"

namespace grym {
namespace {

// Signal left at the share `time` of the whole. Source: Nichol and Dhariwal, "Improved Denoising Diffusion
// Probabilistic Models", 2021, equation 17, s = 0.008.
double SquaredCosine(double time) { return std::pow(std::cos((time + 0.008) / 1.008 * std::acos(-1.0) / 2), 2); }

std::vector<double> BetasOf(const SchedulerConfig& config) {
  const auto count = static_cast<size_t>(config.num_train_timesteps);
  std::vector<double> betas(count);
  const bool root = config.beta_schedule == BetaSchedule::kScaledLinear;
  const double first = root ? std::sqrt(config.beta_start) : config.beta_start;
  const double last = root ? std::sqrt(config.beta_end) : config.beta_end;
  for (size_t i = 0; i < count; ++i) {
    if (config.beta_schedule == BetaSchedule::kSquaredCosine) {
      const auto from = static_cast<double>(i) / static_cast<double>(count);
      const auto to = static_cast<double>(i + 1) / static_cast<double>(count);
      betas[i] = std::min(1 - SquaredCosine(to) / SquaredCosine(from), 0.999);
      continue;
    }
    const double at = count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1);
    const double value = first + (last - first) * at;
    betas[i] = root ? value * value : value;
  }
  return betas;
}

// numpy's arange(start, 0, -step), whose length and values depend on how it rounds.
std::vector<double> FallingRange(double start, double step) {
  const double second = start - step, delta = second - start;
  std::vector<double> values;
  const auto count = static_cast<int64_t>(std::ceil((0 - start) / -step));
  for (int64_t i = 0; i < count; ++i) values.push_back(start + static_cast<double>(i) * delta);
  return values;
}

// The last time that a step may stand at: where the noise of time 0 is what is left, a step there would do nothing.
int64_t LastSolverTime(const SchedulerConfig& config) { return config.final_sigma_zero ? 0 : 1; }

// Requires at most as many steps as there are times from the first one to the last.
std::vector<int64_t> SolverTimes(const SchedulerConfig& config, int64_t steps) {
  constexpr double kRho = 15, kEvenInTime = 0.1;
  std::vector<double> roots = CumulativeAlphas(config);
  roots.resize(static_cast<size_t>(config.solver_start) + 1);
  for (double& value : roots) value = std::pow((1 - value) / value, 0.5 / kRho);
  std::vector<int64_t> times;
  for (int64_t i = 0; i < steps; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(steps);
    const double root = roots.back() + share * (roots.front() - roots.back());
    const auto above = std::upper_bound(roots.begin() + 1, roots.end() - 1, root);
    const double within = std::clamp((root - above[-1]) / (above[0] - above[-1]), 0.0, 1.0);
    const double by_noise = static_cast<double>(above - roots.begin()) - 1 + within;
    const double by_time = static_cast<double>(config.solver_start) * (1 - share);
    const auto time = static_cast<int64_t>(std::nearbyint((1 - kEvenInTime) * by_noise + kEvenInTime * by_time));
    // Each its own, and one left for each step to come.
    const int64_t to_come = steps - 1 - i + LastSolverTime(config);
    times.push_back(times.empty() ? time : std::max(std::min(time, times.back() - 1), to_come));
  }
  return times;
}

// `divisions` is what the range is cut into: the number of steps, or one more where the last one is left out.
std::vector<int64_t> TimestepsOf(const SchedulerConfig& config, int64_t steps, int64_t divisions) {
  if (config.spacing == TimestepSpacing::kSolver) return SolverTimes(config, steps);
  const int64_t train = config.num_train_timesteps;
  std::vector<int64_t> times;
  if (config.spacing == TimestepSpacing::kTrailing) {
    const auto whole = static_cast<double>(train);
    for (const double time : FallingRange(whole, whole / static_cast<double>(steps)))
      times.push_back(static_cast<int64_t>(std::nearbyint(time)) - 1);
    return times;
  }
  for (int64_t i = divisions - 1; i >= divisions - steps; --i) {
    if (config.spacing == TimestepSpacing::kLeading) {
      times.push_back(i * (train / divisions) + config.steps_offset);
    } else {
      const double step = divisions == 1 ? 0 : static_cast<double>(train - 1) / static_cast<double>(divisions - 1);
      times.push_back(static_cast<int64_t>(std::nearbyint(static_cast<double>(i) * step)));
    }
  }
  return times;
}

}  // namespace

std::vector<double> CumulativeAlphas(const SchedulerConfig& config) {
  std::vector<double> alphas = BetasOf(config);
  double product = 1;
  for (double& value : alphas) value = product *= 1 - value;
  if (!config.rescale_betas_zero_snr) return alphas;
  const double first = std::sqrt(alphas.front()), last = std::sqrt(alphas.back());
  for (double& value : alphas) value = std::pow((std::sqrt(value) - last) * first / (first - last), 2);
  // A logarithm is taken of it; the same floor as the reference's.
  if (config.kind == SchedulerKind::kDpmSolver) alphas.back() = std::ldexp(1.0, -24);
  return alphas;
}

SchedulerConfig SpacedForSolver(SchedulerConfig config, const SchedulerConfig& own) {
  constexpr int64_t kManySteps = 200;
  const int64_t train = config.num_train_timesteps;
  int64_t start = train - 1;
  if (train % kManySteps == 0) start = std::min(start, TimestepsOf(own, kManySteps, kManySteps).front());
  // What has no signal at all where it starts, or one time alone, cannot be divided; Karras's spacing is its own.
  const bool divides = start >= 1 && std::isnormal(CumulativeAlphas(config)[static_cast<size_t>(start)]);
  if (own.kind == config.kind || config.rescale_betas_zero_snr || config.use_karras_sigmas || !divides) return config;
  config.spacing = TimestepSpacing::kSolver;
  config.solver_start = start;
  config.final_sigma_zero = own.set_alpha_to_one;
  return config;
}

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Create(const SchedulerConfig& config, int64_t steps) {
  const bool ddim = config.kind == SchedulerKind::kDdim;
  const bool ours = config.spacing == TimestepSpacing::kSolver;
  const int64_t most = ours ? config.solver_start + 1 - LastSolverTime(config)
                            : config.num_train_timesteps - (ddim ? 0 : 1);
  if (steps < 1 || steps > most) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_steps",
                 Formatted("steps: want 1 to %d, got %d", most, steps));
  }
  std::vector<int64_t> times = TimestepsOf(config, steps, ddim ? steps : steps + 1);
  if (times.front() >= config.num_train_timesteps) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_steps",
                 Formatted("steps: want so few that steps_offset %d still fits, got %d, which start at time %d of %d",
                           config.steps_offset, steps, times.front(), config.num_train_timesteps));
  }
  if (ddim) return std::unique_ptr<Scheduler>(new DdimScheduler(config, std::move(times)));
  return std::unique_ptr<Scheduler>(new DpmSolverScheduler(config, std::move(times)));
}

at::Tensor Scheduler::AddNoise(const at::Tensor& original, const at::Tensor& noise, int64_t position) const {
  const Mix mix = position >= steps() ? Mix{} : MixAt(position);
  return at::mul(original, mix.signal).add_(noise, mix.noise);
}

void Scheduler::StartAt(int64_t position) {
  position_ = position;
  previous_ = at::Tensor();
}

void Scheduler::Restore(const State& state) {
  position_ = state.position;
  previous_ = state.previous;
}

}  // namespace grym
