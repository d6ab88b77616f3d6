#include "models/audioldm/denoise.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/tensor_file.h"
#include "models/unet/step.h"
#include "runtime/seeded_noise.h"

namespace grym {
namespace {

absl::Status BadRequest(const std::string& text) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_request", "audioldm: " + text);
}

// Falls to an eighth of its height towards both ends, so that a window counts most where it sees both ways.
at::Tensor WindowWeights(int64_t window) {
  at::Tensor weights = at::empty({1, 1, window, 1}, at::kFloat);
  for (int64_t i = 0; i < window; ++i) {
    const auto from_end = static_cast<double>(std::min(i, window - 1 - i));
    weights.mutable_data_ptr<float>()[i] =
        static_cast<float>(std::min(1.0, 0.125 + 0.875 * from_end / (static_cast<double>(window) / 4)));
  }
  return weights;
}

// The network's answer to latents [rows, ...] of any length.
absl::StatusOr<at::Tensor> Predict(UnetStep& unet, const at::Tensor& latents, int64_t step, int64_t window,
                                   const CancelToken& cancel) {
  const int64_t frames = latents.size(2);
  if (window <= 0 || frames <= window) return unet(latents, step, cancel);
  at::Tensor sum = at::zeros_like(latents), weight_sum = at::zeros({1, 1, frames, 1}, latents.options());
  const at::Tensor weights = WindowWeights(window).to(latents.device());
  for (const int64_t start : WindowStarts(frames, window)) {
    GRYM_ASSIGN_OR_RETURN(const at::Tensor answer, unet(latents.narrow(2, start, window), step, cancel));
    sum.narrow(2, start, window).add_(at::mul(answer, weights));
    weight_sum.narrow(2, start, window).add_(weights);
  }
  return sum.div_(weight_sum);
}

absl::Status CheckShapes(const UnetConfig& unet, const DenoiseRequest& request) {
  const auto& shape = request.shape;
  if (shape.size() != 4 || *std::min_element(shape.begin(), shape.end()) < 1 || shape[1] != unet.in_channels)
    return BadRequest(Formatted("latents: want [takes, %d, time, bins], got %s", unet.in_channels, ShapeText(shape)));
  const int64_t rows = request.guidance > 1 ? 2 * shape[0] : shape[0];
  const at::Tensor& embeddings = request.embeddings;
  if (unet.class_dim > 0 && (!embeddings.defined() || embeddings.dim() != 2 || embeddings.size(0) != rows ||
                             embeddings.size(1) != unet.class_dim)) {
    return BadRequest(Formatted("embeddings: want [%d, %d], got %s", rows, unet.class_dim,
                                embeddings.defined() ? ShapeText(embeddings.sizes()) : "none"));
  }
  if (request.original.defined() && request.original.sizes() != at::IntArrayRef(shape))
    return BadRequest(Formatted("original: want %s, got %s", ShapeText(shape), ShapeText(request.original.sizes())));
  if (!request.mask.defined()) return absl::OkStatus();
  if (!request.original.defined()) return BadRequest("mask: want an original beside it, got none");
  const at::Tensor& mask = request.mask;
  if (mask.dim() != 4 || mask.size(2) != shape[2])
    return BadRequest(Formatted("mask: want [1, 1, %d, 1], got %s", shape[2], ShapeText(mask.sizes())));
  return absl::OkStatus();
}

}  // namespace

int64_t LatentGeometry::LatentFrames(double duration_s) const {
  const auto columns = static_cast<int64_t>(duration_s / column_s());
  return (columns + scale - 1) / scale;
}

int64_t LatentGeometry::SoundFrames(double duration_s) const {
  return static_cast<int64_t>(duration_s * static_cast<double>(rate_hz));
}

std::vector<int64_t> LatentGeometry::Shape(int64_t takes, double duration_s) const {
  return {takes, channels, LatentFrames(duration_s), bins / scale};
}

absl::Status CheckDenoiseRequest(const UnetConfig& unet, const DenoiseRequest& request) {
  if (unet.in_channels != unet.out_channels) {
    return BadRequest(Formatted("unet: want as many out_channels as in_channels %d, got %d", unet.in_channels,
                                unet.out_channels));
  }
  if (!std::isfinite(request.guidance) || std::abs(request.guidance) > 100)
    return BadRequest(Formatted("guidance: want -100 to 100, got %g", request.guidance));
  if (!(request.strength >= 0 && request.strength <= 1))
    return BadRequest(Formatted("strength: want 0 to 1, got %g", request.strength));
  if (request.window < 0 || (request.window > 0 && request.window < 8))
    return BadRequest(Formatted("window: want 0, or 8 positions or more, got %d", request.window));
  return CheckShapes(unet, request);
}

absl::StatusOr<at::Tensor> Denoise(const Unet& unet, const SchedulerConfig& schedule, const DenoiseRequest& request,
                                   const RunOptions& run, DenoiseState* state,
                                   const std::function<void(int64_t step, const at::Tensor& latents)>& after_step) {
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Scheduler> scheduler, Scheduler::Create(schedule, request.steps));
  const bool guided = request.guidance > 1;
  at::Generator generator = SeededGenerator(request.seed);
  at::Tensor noise = Noise(request.shape, generator).mul_(scheduler->init_noise_sigma());
  if (request.embeddings.defined()) noise = noise.to(request.embeddings.device());
  at::Tensor latents = noise;
  if (request.original.defined()) {
    const int64_t steps = scheduler->steps();
    const auto changed = static_cast<int64_t>(static_cast<double>(steps) * request.strength);
    scheduler->StartAt(steps - std::min(changed, steps));
    latents = scheduler->AddNoise(request.original, noise, scheduler->position());
  }
  if (state && state->latents.defined()) {
    latents = state->latents;
    scheduler->Restore(state->scheduler);
  }
  const std::vector<double> times(scheduler->timesteps().begin(), scheduler->timesteps().end());
  const int64_t rows = guided ? 2 * request.shape[0] : request.shape[0];
  GRYM_ASSIGN_OR_RETURN(const UnetConditions conditions,
                        unet.Conditions(times, request.embeddings, rows, run.cancel));
  UnetStep network(unet, conditions);
  ProgressReporter progress(run);
  const int64_t first = scheduler->position();
  while (!scheduler->done()) {
    const int64_t step = scheduler->position();
    progress.Report(static_cast<double>(step - first) / static_cast<double>(scheduler->steps() - first), "denoise");
    if (state) *state = {latents, scheduler->state()};
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const at::Tensor input = guided ? at::cat({latents, latents}) : latents;
    GRYM_ASSIGN_OR_RETURN(at::Tensor answer, Predict(network, input, step, request.window, run.cancel));
    if (guided) {
      const at::Tensor negative = answer.narrow(0, 0, request.shape[0]);
      answer = at::sub(answer.narrow(0, request.shape[0], request.shape[0]), negative)
                   .mul_(request.guidance)
                   .add_(negative);
    }
    latents = scheduler->Step(answer, latents);
    if (request.mask.defined()) {
      // The part that stays is put back with the noise that the next step expects.
      const at::Tensor kept = scheduler->AddNoise(request.original, noise, scheduler->position());
      latents = at::add(kept, at::mul(at::sub(latents, kept), request.mask));
    }
    if (after_step) after_step(step, latents);
  }
  if (state) *state = {latents, scheduler->state()};
  progress.Report(1, "denoise");
  return latents;
}

at::Tensor NormalizedRows(const at::Tensor& rows) {
  return at::div(rows, at::linalg_vector_norm(rows, 2, at::IntArrayRef({-1}), /*keepdim=*/true).clamp_min_(1e-12));
}

std::vector<int64_t> WindowStarts(int64_t frames, int64_t window) {
  std::vector<int64_t> starts;
  const int64_t hop = std::max<int64_t>(1, window - window / 4);
  for (int64_t start = 0; start + window < frames; start += hop) starts.push_back(start);
  starts.push_back(std::max<int64_t>(0, frames - window));
  return starts;
}

double SeamRatio(const at::Tensor& latents, const std::vector<int64_t>& seams) {
  const int64_t frames = latents.size(2);
  if (frames < 2 || seams.empty()) return 1;
  const at::Tensor jumps = at::sub(latents.narrow(2, 1, frames - 1), latents.narrow(2, 0, frames - 1)).abs();
  double at_seams = 0;
  for (const int64_t seam : seams)
    at_seams += jumps.select(2, std::clamp<int64_t>(seam - 1, 0, frames - 2)).mean().item<double>();
  return at_seams / static_cast<double>(seams.size()) / std::max(jumps.mean().item<double>(), 1e-30);
}

}  // namespace grym
