// The denoising network of AudioLDM: a UNet over latents whose layers are shifted by the time and the prompt's vector.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "models/unet/config.h"
#include "models/unet/units.h"
#include "runtime/packed.h"
#include "runtime/streamed_layers.h"

namespace grym {

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
  // The same but for its units, which are read from the file at every call, in turn, and what makes the conditions.
  // Errors of their weights are the calls'. For precisions that are kept as they are multiplied (CanStream): packing
  // takes longer than computing.
  static absl::StatusOr<std::shared_ptr<const Unet>> LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                                  const UnetConfig& config,
                                                                  const WeightOptions& options);
  static bool CanStream(Precision precision) { return !IsPacked(precision); }
  // What Load takes, by the headers of the files; what LoadStreamed takes, and the two neighbours among the units that
  // take most beside it.
  static int64_t WeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options);
  static int64_t StreamedWeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options);

  // The most that one call takes beside the weights and the conditions, its result and the copy of its input among it;
  // `rows` with guidance is twice the takes. And what the conditions of a run take while and after they are made.
  static int64_t WorkingBytes(const UnetConfig& config, const WeightOptions& options, int64_t rows, int64_t height,
                              int64_t width);
  // The same of a streamed net, beside StreamedWeightsBytes: less, where other units than the largest take most.
  static int64_t StreamedWorkingBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options,
                                      int64_t rows, int64_t height, int64_t width);
  static int64_t ConditionsBytes(const UnetConfig& config, const WeightOptions& options, int64_t steps, int64_t rows);

  // `times` one for each step, as the scheduler counts them. `embeddings` [rows, class_dim], undefined where class_dim
  // is 0: then `rows` times the same. Cancelled, as by the call below.
  absl::StatusOr<UnetConditions> Conditions(const std::vector<double>& times, const at::Tensor& embeddings,
                                            int64_t rows, const CancelToken& cancel = {}) const;

  // latents [rows, in_channels, height, width] at step `step` of the conditions' -> [rows, out_channels, height, width]
  // in the compute type, channels-last. Cancelled, asked between the units, and while one is waited for.
  absl::StatusOr<at::Tensor> operator()(const at::Tensor& latents, const UnetConditions& conditions, int64_t step,
                                        const CancelToken& cancel = {}) const;

  const UnetConfig& config() const { return config_; }
  c10::Device device() const { return device_; }
  bool streamed() const { return streamed_ != nullptr; }
  // Of Load; of a streamed net nobody knows.
  const std::vector<std::string>& unread_tensors() const { return unread_; }

 private:
  explicit Unet(const UnetConfig& config) : config_(config), units_(UnitsOf(config)) {}
  void ReadAround(WeightReader& weights, WeightReader& convolutions);

  const UnetConfig config_;
  const std::vector<UnetUnit> units_;
  c10::ScalarType compute_type_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  Linear time1_, time2_, class_;
  Conv2d conv_in_, conv_out_;
  GroupNorm norm_out_;
  std::vector<UnetWeights> weights_;  // of each unit
  std::vector<Linear> shifts_;        // of time and prompt, of each resnet; or both of them
  std::unique_ptr<const StreamedLayers<UnetWeights>> streamed_;
  std::unique_ptr<const StreamedLayers<Linear>> streamed_shifts_;
  std::vector<std::string> unread_;
};

}  // namespace grym
