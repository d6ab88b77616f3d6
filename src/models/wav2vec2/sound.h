// From a recording to what the network reads: mono at the model's rate, zero mean, unit variance, window by window.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "audio/block_source.h"
#include "models/wav2vec2/config.h"

namespace grym {

// What must be known of the whole recording before any of it is encoded, so that a window is encoded as the same piece
// of the whole would be. Of samples as the network reads them, (sample - mean) * inverse_deviation.
struct SoundStatistics {
  int64_t samples = 0;
  double mean = 0, inverse_deviation = 1;
  // Of the first convolution's inputs, [kernel] and [kernel, kernel]. Empty where no norm over time follows it.
  std::vector<double> patch_mean, patch_covariance;
};

// Gathers them from a stream, in double. Threads: one.
class SoundMeter {
 public:
  explicit SoundMeter(const Wav2Vec2Config& config);
  void Push(std::span<const float> samples);
  // zero mean, unit variance: (x - mean) / sqrt(variance + 1e-7), as transformers' Wav2Vec2FeatureExtractor.
  SoundStatistics Finish() const;

 private:
  void AddPatch(const float* patch);
  const bool normalise_, patches_wanted_;
  const int64_t kernel_, stride_;
  int64_t samples_ = 0, patches_ = 0, next_patch_ = 0;  // the first sample of the patch to come
  double sum_ = 0, squares_ = 0;
  std::vector<double> patch_sum_, patch_products_;
  std::vector<float> held_;  // samples from `held_from_` on that a patch to come reads
  int64_t held_from_ = 0;
};

// `input` as mono at `rate_hz`, in blocks: mixed, then resampled, and never held whole.
absl::StatusOr<std::unique_ptr<BlockSource>> OpenMono(const AudioInput& input, int rate_hz);

// A stretch of the stream that moves forward: what lies before it is forgotten. Threads: one.
class SampleStretch {
 public:
  explicit SampleStretch(BlockSource& source) : source_(source) {}
  // Samples [begin, begin + count) of the stream; `begin` never falls. DataLoss (code "audio_changed") where the stream
  // ends before them: it was longer when it was measured. Valid until the next call.
  absl::StatusOr<std::span<const float>> Read(int64_t begin, int64_t count);

 private:
  BlockSource& source_;
  std::vector<float> held_;
  int64_t held_from_ = 0;
};

// A piece of a recording that is encoded at once. Frames are counted from the recording's first.
struct EncodeWindow {
  int64_t first = 0, frames = 0;         // what is encoded
  int64_t keep_from = 0, keep_frames = 0;  // what is kept of it; the rest has lent its context
};

// Windows of `longest` frames at most that keep every frame once, each with `context` frames beside what it keeps
// wherever the recording has them. One window that keeps all for up to `longest` frames. Requires
// longest > 2 * context.
std::vector<EncodeWindow> PlanWindows(int64_t frames, int64_t longest, int64_t context);

}  // namespace grym
