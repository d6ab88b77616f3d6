// DPM-Solver++ of second order over several steps: half of DDIM's steps for the same distance, or fewer.
#pragma once
#include <vector>

#include "nn/schedulers/scheduler.h"

namespace grym {

// Source: Lu et al., "DPM-Solver++", 2022, algorithm 2 (2M); the spacing of Karras et al., "Elucidating the Design
// Space of Diffusion-Based Generative Models", 2022, equation 5 with rho 7; edges as diffusers'
// DPMSolverMultistepScheduler (0.42).
class DpmSolverScheduler final : public Scheduler {
 public:
  DpmSolverScheduler(const SchedulerConfig& config, std::vector<int64_t> timesteps);
  at::Tensor Step(at::Tensor output, const at::Tensor& sample) override;
  // Noise over signal at each position and at the end: [steps + 1].
  const std::vector<double>& sigmas() const { return sigmas_; }

 private:
  Mix MixAt(int64_t position) const override;
  void UseKarrasSigmas(const std::vector<double>& all);
  std::vector<double> sigmas_;
};

}  // namespace grym
