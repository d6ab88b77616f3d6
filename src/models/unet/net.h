// The denoising network of AudioLDM: a UNet over latents whose layers are shifted by the time and the prompt's vector.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "models/unet/config.h"
#include "nn/conv.h"
#include "nn/conv3x3.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/weights.h"

namespace grym {

// Source: Ho et al., "Denoising Diffusion Probabilistic Models", 2020, appendix B; diffusers 0.42, models/resnet.py.
struct UnetResnet {
  GroupNorm norm1, norm2;
  Conv3x3 conv1, conv2;
  Linear embedding;  // of time and prompt, added between the convolutions
  Linear shortcut;   // where the widths differ
  size_t index = 0;  // of its shift in UnetConditions
};

// Attention to all positions, twice, and a gated layer. Source: diffusers 0.42, BasicTransformerBlock, with no
// encoder_hidden_states: its second attention then attends to the block's own positions too.
struct UnetTransformerLayer {
  LayerNorm norm1, norm2, norm3;
  Linear qkv1, out1, qkv2, out2;  // queries, keys and values side by side
  Linear feed, gate, back;        // Shazeer, "GLU Variants Improve Transformer", 2020: back(feed(x) * gelu(gate(x)))
};

struct UnetAttention {
  GroupNorm norm;
  Linear in, out;
  std::vector<UnetTransformerLayer> layers;
  int64_t heads = 1;
};

struct UnetBlock {
  std::vector<UnetResnet> resnets;
  std::vector<UnetAttention> attentions;  // one behind each resnet, or none; in the middle one between two
  Conv2d halve;                           // at the end of a block down, but the last
  Conv3x3 smooth;                         // behind the doubling at the end of a block up, but the last
};

// What depends on the steps' times and the prompt, and not on the latents: made once for a run.
struct UnetConditions {
  std::vector<at::Tensor> shifts;  // one for each resnet: [steps, rows, its channels]
};

// Immutable once loaded. Threads: any. Call under a TorchGuard and, where it shall count, a BudgetScope.
class Unet {
 public:
  // DataLoss (code "bad_weights"), ("non_finite_weights"); Cancelled. See WeightReader.
  static absl::StatusOr<std::shared_ptr<const Unet>> Load(const TensorSet& set, const UnetConfig& config,
                                                          const WeightOptions& options);
  // What Load takes, by the headers of the files.
  static int64_t WeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options);

  // The most that one call takes beside the weights and the conditions, its result and the copy of its input among it;
  // `rows` with guidance is twice the takes. And what the conditions of a run take while and after they are made.
  static int64_t WorkingBytes(const UnetConfig& config, const WeightOptions& options, int64_t rows, int64_t height,
                              int64_t width);
  static int64_t ConditionsBytes(const UnetConfig& config, const WeightOptions& options, int64_t steps, int64_t rows);
  // Whether the convolutions of a level, counted from the finest, are kept tiled where they can be (nn/conv3x3.h): where
  // there are many positions for a weight, and few weights. Two levels have two thirds of the work and a sixth of the
  // weights.
  static bool WantsTiles(size_t level) { return level < 2; }

  // `times` one for each step, as the scheduler counts them. `embeddings` [rows, class_dim], undefined where class_dim
  // is 0: then `rows` times the same.
  UnetConditions Conditions(const std::vector<double>& times, const at::Tensor& embeddings, int64_t rows) const;

  // latents [rows, in_channels, height, width] at step `step` of the conditions' -> [rows, out_channels, height, width]
  // in the compute type, channels-last. Cancelled, asked between the layers.
  absl::StatusOr<at::Tensor> operator()(const at::Tensor& latents, const UnetConditions& conditions, int64_t step,
                                        const CancelToken& cancel = {}) const;

  const UnetConfig& config() const { return config_; }
  c10::Device device() const { return device_; }
  const std::vector<std::string>& unread_tensors() const { return unread_; }

 private:
  struct Reader;
  explicit Unet(const UnetConfig& config) : config_(config) {}

  UnetConfig config_;
  c10::ScalarType compute_type_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  Linear time1_, time2_, class_;
  Conv2d conv_in_, conv_out_;
  GroupNorm norm_out_;
  std::vector<UnetBlock> down_, up_;  // up_ in the order of use, the coarsest first
  UnetBlock middle_;
  std::vector<const UnetResnet*> resnets_;  // by their index; into the blocks
  std::vector<std::string> unread_;
};

}  // namespace grym
