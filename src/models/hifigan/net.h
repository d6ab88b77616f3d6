// The vocoder that makes waves of log-mel spectrograms: transformers' SpeechT5HifiGan.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"
#include "models/hifigan/config.h"
#include "nn/wave_conv.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Mel frames [begin, end).
struct FrameRange {
  int64_t begin = 0, end = 0;
};
// The mel frames of [0, frames) that samples [begin, end) of the wave depend on. Exact: nothing outside changes more
// than their rounding.
FrameRange FramesBehind(const HifiGanConfig& config, int64_t frames, int64_t begin, int64_t end);

// Source: Kong et al., "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis",
// 2020, section 2.2; the layers and their order are those of transformers 5.23, modeling_speecht5.py.
// Immutable and shared by sessions. LibTorch's exceptions go through: call under a TorchGuard and a BudgetScope.
class HifiGan {
 public:
  // Weight-normed layers in both spellings or already fused. DataLoss (code "bad_weights").
  static absl::StatusOr<std::shared_ptr<const HifiGan>> Load(const TensorSet& set, const HifiGanConfig& config,
                                                             const WeightOptions& options);
  // mel [batch, frames, model_in_dim] -> waves float32 [batch, FramesAfter(levels, frames)] within +-1, one after
  // another. `chunk_frames` > 0: computed in pieces of so many mel frames, each with all the frames around it that it
  // depends on: equal to the whole but for rounding. Cancelled between layers. InvalidArgument (code "bad_mel").
  absl::StatusOr<at::Tensor> Synthesize(const at::Tensor& mel, int64_t chunk_frames = 0,
                                        const RunOptions& run = {}) const;
  const HifiGanConfig& config() const { return config_; }

 private:
  // One kernel size: pairs of convolutions, the first dilated, with a residual around each pair.
  struct ResidualBlock {
    std::vector<WaveConv> dilated, plain;
  };
  struct Level {
    WaveUpsample upsample;
    std::vector<ResidualBlock> blocks;
  };
  HifiGan() = default;
  void Read(WeightReader& weights);
  absl::StatusOr<at::Tensor> Run(const at::Tensor& mel, const RunOptions& run) const;
  absl::StatusOr<at::Tensor> MixBlocks(const Level& level, at::Tensor wave, const CancelToken& cancel) const;
  absl::Status RunInto(at::Tensor wave, const at::Tensor& mel, int64_t chunk_frames, const RunOptions& run) const;
  HifiGanConfig config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  at::Tensor mean_, scale_;  // [model_in_dim], with normalize_before
  WaveConv first_, last_;
  std::vector<Level> levels_;
};

}  // namespace grym
