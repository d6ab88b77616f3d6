// DDIM without noise of its own.
#pragma once
#include <vector>

#include "nn/schedulers/scheduler.h"

namespace grym {

// Source: Song et al., "Denoising Diffusion Implicit Models", 2021, equation 12 with sigma 0; timesteps and edges as
// diffusers' DDIMScheduler (0.42) has them with eta 0.
class DdimScheduler final : public Scheduler {
 public:
  DdimScheduler(const SchedulerConfig& config, std::vector<int64_t> timesteps);
  at::Tensor Step(at::Tensor output, const at::Tensor& sample) override;

 private:
  Mix MixAt(int64_t position) const override;
  std::vector<double> alphas_;
};

}  // namespace grym
