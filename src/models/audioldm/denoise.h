// From noise to the latents of a sound, step by step: the middle of AudioLDM, between the text and the decoder.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "models/unet/net.h"
#include "nn/schedulers/scheduler.h"

namespace grym {

// How latents lie to sound. Source: diffusers 0.42, AudioLDMPipeline.
struct LatentGeometry {
  int64_t channels = 8;     // of the latents
  int64_t scale = 4;        // positions of the spectrogram for one of the latents, in both directions
  int64_t bins = 64;        // of the spectrogram
  int64_t hop_frames = 160; // of sound for one column of the spectrogram
  int64_t rate_hz = 16000;

  double column_s() const { return static_cast<double>(hop_frames) / static_cast<double>(rate_hz); }
  // Latent positions along time for so long a sound, rounded up as the reference does; the sound is then cut to
  // SoundFrames.
  int64_t LatentFrames(double duration_s) const;
  int64_t SoundFrames(double duration_s) const;
  // [takes, channels, LatentFrames, bins / scale].
  std::vector<int64_t> Shape(int64_t takes, double duration_s) const;
};

// Where an interrupted run stood.
struct DenoiseState {
  at::Tensor latents;  // undefined: nothing is done yet
  Scheduler::State scheduler;
};

struct DenoiseRequest {
  int64_t steps = 10;
  double guidance = 2.5;  // above 1: the negative prompt is weighed against the prompt
  int64_t seed = 0;
  std::vector<int64_t> shape;  // of the latents: [takes, channels, time, bins]
  // Of the prompt: [takes, dim]; with guidance the negative's before them: [2 * takes, dim]. See NormalizedRows.
  at::Tensor embeddings;
  // Sound to start from, as latents of `shape`, and how much of it may change: 0 nothing, 1 everything. Undefined:
  // from noise alone.
  at::Tensor original;
  double strength = 1;
  // [1 or takes, 1, time, 1 or bins]: 1 where the sound is made anew, 0 where the original stays. Needs an original.
  at::Tensor mask;
  // The network sees at most so many positions along time at once, overlapping by a quarter, and its answers are mixed:
  // for what is longer than it has learnt, or than memory allows. 0: everything at once, as the reference does.
  int64_t window = 0;
};

// InvalidArgument (code "bad_steps", "bad_request") for what contradicts itself.
absl::Status CheckDenoiseRequest(const UnetConfig& unet, const DenoiseRequest& request);

// `after_step`, if set, sees the latents after each step; it must not change them. `state`, if set, is where to go on
// from, and holds after every end, also an error or a cancelled run, what is needed to go on with the same request: the
// result is then the same to the bit. Progress from 0 to 1. Cancelled within a layer of the network.
// Source: diffusers 0.42, AudioLDMPipeline.__call__, sections 4 to 7; for audio to audio Meng et al., "SDEdit", 2022;
// for the mask Lugmayr et al., "RePaint", 2022, equation 8; for the windows Bar-Tal et al., "MultiDiffusion", 2023,
// equation 5. Requires a CheckDenoiseRequest that is OK; call under a TorchGuard.
absl::StatusOr<at::Tensor> Denoise(const Unet& unet, const SchedulerConfig& schedule, const DenoiseRequest& request,
                                   const RunOptions& run, DenoiseState* state = nullptr,
                                   const std::function<void(int64_t step, const at::Tensor& latents)>& after_step = {});

// Each row at length 1, as the reference does with the text's embedding (divided by 1e-12 at least).
at::Tensor NormalizedRows(const at::Tensor& rows);

// How much larger the change between neighbours is where windows meet than elsewhere: the mean jump at the seams over
// the mean jump of all, 1 for no seam. `seams` are first positions behind a border; latents
// [takes, channels, time, bins].
double SeamRatio(const at::Tensor& latents, const std::vector<int64_t>& seams);
// First positions of the windows.
std::vector<int64_t> WindowStarts(int64_t frames, int64_t window);

}  // namespace grym
