#include "nn/schedulers/ddim.h"

#include <cmath>
#include <utility>

namespace grym {

DdimScheduler::DdimScheduler(const SchedulerConfig& config, std::vector<int64_t> timesteps)
    : Scheduler(config, std::move(timesteps)), alphas_(CumulativeAlphas(config)) {}

Scheduler::Mix DdimScheduler::MixAt(int64_t position) const {
  const double alpha = alphas_[static_cast<size_t>(timesteps_[static_cast<size_t>(position)])];
  return {std::sqrt(alpha), std::sqrt(1 - alpha)};
}

at::Tensor DdimScheduler::Step(at::Tensor output, const at::Tensor& sample) {
  const Mix now = MixAt(position_);
  // Not the next position's time but as far back as training steps lie apart, as the reference has it: where the
  // spacing is uneven, or at the end, the two differ.
  const int64_t before = timesteps_[static_cast<size_t>(position_)] - config_.num_train_timesteps / steps();
  const double alpha = before >= 0                ? alphas_[static_cast<size_t>(before)]
                       : config_.set_alpha_to_one ? 1.0
                                                  : alphas_.front();
  const double signal = std::sqrt(alpha), noise = std::sqrt(1 - alpha);
  ++position_;
  // Each prediction is a mix of output and sample: signal = a * sample + b * output, noise = c * sample + d * output.
  double a = 0, b = 1, c = 0, d = 1;
  switch (config_.prediction) {
    case Prediction::kEpsilon: a = 1 / now.signal, b = -now.noise / now.signal; break;
    case Prediction::kSample: c = 1 / now.noise, d = -now.signal / now.noise; break;
    case Prediction::kVelocity: a = now.signal, b = -now.noise, c = now.noise, d = now.signal; break;
  }
  if (!config_.clip_sample) return output.mul_(signal * b + noise * d).add_(sample, signal * a + noise * c);
  const double limit = config_.clip_sample_range;
  const at::Tensor original = at::mul(sample, a).add_(output, b).clamp_(-limit, limit);
  // The noise stays the one that the unclipped prediction leaves, as in the reference.
  return output.mul_(noise * d).add_(sample, noise * c).add_(original, signal);
}

}  // namespace grym
