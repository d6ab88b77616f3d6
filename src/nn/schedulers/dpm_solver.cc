#include "nn/schedulers/dpm_solver.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace grym {
namespace {

// The training time, between two of them, at which noise over signal is `sigma`. `logs` rise.
double TimeOfSigma(double sigma, const std::vector<double>& logs) {
  const double log = std::log(std::max(sigma, 1e-10));
  const auto above = std::upper_bound(logs.begin(), logs.end(), log);
  const auto last = static_cast<int64_t>(logs.size()) - 2;
  const int64_t low = std::clamp<int64_t>(above - logs.begin() - 1, 0, last);
  const double from = logs[static_cast<size_t>(low)], to = logs[static_cast<size_t>(low) + 1];
  return static_cast<double>(low) + std::clamp((log - from) / (to - from), 0.0, 1.0);
}

}  // namespace

DpmSolverScheduler::DpmSolverScheduler(const SchedulerConfig& config, std::vector<int64_t> timesteps)
    : Scheduler(config, std::move(timesteps)) {
  std::vector<double> all = CumulativeAlphas(config);
  for (double& value : all) value = std::sqrt((1 - value) / value);
  if (config.use_karras_sigmas && all.size() > 1) {
    UseKarrasSigmas(all);
  } else {
    for (const int64_t time : timesteps_) sigmas_.push_back(all[static_cast<size_t>(time)]);
  }
  sigmas_.push_back(config.final_sigma_zero ? 0 : all.front());
}

void DpmSolverScheduler::UseKarrasSigmas(const std::vector<double>& all) {
  constexpr double kRho = 7;
  std::vector<double> logs = all;
  for (double& value : logs) value = std::log(value);
  const double most = std::pow(all.back(), 1 / kRho), least = std::pow(all.front(), 1 / kRho);
  const size_t count = timesteps_.size();
  for (size_t i = 0; i < count; ++i) {
    const double at = count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1);
    sigmas_.push_back(std::pow(most + at * (least - most), kRho));
    timesteps_[i] = static_cast<int64_t>(std::nearbyint(TimeOfSigma(sigmas_.back(), logs)));
  }
}

Scheduler::Mix DpmSolverScheduler::MixAt(int64_t position) const {
  const double sigma = sigmas_[static_cast<size_t>(position)], signal = 1 / std::sqrt(sigma * sigma + 1);
  return {signal, sigma * signal};
}

at::Tensor DpmSolverScheduler::Step(at::Tensor output, const at::Tensor& sample) {
  const Mix now = MixAt(position_), next = MixAt(position_ + 1);
  // What is predicted of the signal, from here on the model's answer.
  at::Tensor original = std::move(output);
  if (config_.prediction == Prediction::kEpsilon) {
    original.mul_(-now.noise / now.signal).add_(sample, 1 / now.signal);
  } else if (config_.prediction == Prediction::kVelocity) {
    original.mul_(-now.noise).add_(sample, now.signal);
  }
  const auto log_ratio = [](const Mix& mix) { return std::log(mix.signal) - std::log(mix.noise); };
  const double h = log_ratio(next) - log_ratio(now);  // infinite where no noise is left
  const double gain = next.signal * (1 - std::exp(-h));
  at::Tensor result = at::mul(sample, next.noise / now.noise).add_(original, gain);

  const bool last = position_ + 1 == steps();
  const bool first_order_last = config_.euler_at_final || (config_.lower_order_final && steps() < 15) ||
                                config_.final_sigma_zero;
  if (config_.solver_order == 2 && previous_.defined() && !(last && first_order_last)) {
    const double ratio = (log_ratio(now) - log_ratio(MixAt(position_ - 1))) / h;
    const double slope = config_.heun ? next.signal * ((std::exp(-h) - 1) / h + 1) : gain / 2;
    result.add_(original, slope / ratio).sub_(previous_, slope / ratio);
  }
  previous_ = std::move(original);
  ++position_;
  return result;
}

}  // namespace grym
