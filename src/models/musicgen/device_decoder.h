// MusicGen's decoder by LibTorch's operators, for devices that the kernels of ours (decoder.h) are not for.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "models/musicgen/device_state.h"
#include "models/musicgen/layers.h"
#include "nn/linear.h"

namespace grym {

// The same network as MusicgenDecoder, for any device, and the same calls. Immutable once loaded; threads: const
// methods may run together, each with a state of its own. Call under a TorchGuard; what a caller must keep to is checked
// and throws there. On the CPU, where tests compare the two, it is right and slow. It has not run on a GPU: none was at
// hand.
//
// Differs from MusicgenDecoder: products in ComputeType, of int8 and int4 weights that are decoded a block at a time
// (nn/linear.h), which saves memory and no time; keys and values in that type. What runs along the layers is float32:
// half floats may not hold the sums of a large checkpoint. And a row's logits may differ in their last bits with its
// neighbours and with how its steps are handed over: those are other shapes, for which libraries take other kernels.
class MusicgenDeviceDecoder {
 public:
  using State = MusicgenDeviceState;

  // As MusicgenDecoder::Load; float32 stays float32. FailedPrecondition (code "packed_for_cpu") for a packed copy,
  // whose matrices lie as the CPU's kernels read them; DataLoss ("bad_weights") also for what float16 cannot hold.
  // Products are in `type` where it is given: tests take a GPU's on the CPU.
  static absl::StatusOr<std::shared_ptr<const MusicgenDeviceDecoder>> Load(
      const TensorSet& set, const MusicgenConfig& config, const WeightOptions& options,
      const std::string& prefix = "decoder.", std::vector<std::string>* unread = nullptr,
      std::optional<c10::ScalarType> type = std::nullopt);

  const MusicgenConfig& config() const { return config_; }
  const MusicgenProjections& projections() const { return projections_; }

  // As MusicgenDecoder's; `conditioning` may lie on any device. Cancelled between layers.
  absl::StatusOr<State> NewState(int64_t rows, int64_t most_steps, const at::Tensor& conditioning,
                                 std::span<const int64_t> lengths, const CancelToken& cancel = {}) const;
  // As MusicgenDecoder's. On a GPU what was captured is replayed, and the logits' way back is all that is waited for.
  void Step(State& state, std::span<const int32_t> codes, float* logits) const;
  absl::Status Prefill(State& state, std::span<const int32_t> codes, int64_t steps, float* logits,
                       const CancelToken& cancel = {}) const;

  // What Load keeps and NewState takes, and the most that any of the calls takes beside it for a while. The latter two
  // of a GPU are estimates: libraries have workspaces of their own there.
  static int64_t WeightBytes(const MusicgenConfig& config, Precision precision);
  static int64_t StateBytes(const MusicgenConfig& config, Precision precision, c10::Device device, int64_t rows,
                            int64_t most_steps, int64_t conditioning) {
    return State::Bytes(config, ComputeType(precision, device), device, rows, most_steps, conditioning);
  }
  static int64_t WorkingBytes(const MusicgenConfig& config, Precision precision, c10::Device device, int64_t rows,
                              int64_t most_steps, int64_t conditioning);

 private:
  at::Tensor Normed(const LayerNorm& norm, const at::Tensor& x) const { return norm(x).to(type_); }
  at::Tensor Embedded(const MusicgenInputs& inputs) const;
  void AddPositions(const at::Tensor& positions, at::Tensor& x) const;
  absl::Status RunLayers(State& state, at::Tensor& x, const at::Tensor& positions, int64_t slots,
                         const CancelToken& cancel) const;
  void Head(State& state, const at::Tensor& x) const;
  void FillInputs(const State& state, std::span<const int32_t> codes, int64_t first, int64_t count, int64_t of_steps,
                  at::Tensor& inputs) const;
  absl::Status FillCross(State& state, const at::Tensor& conditioning, std::span<const int64_t> lengths,
                         const CancelToken& cancel) const;
  absl::Status FillPrefix(State& state, const at::Tensor& conditioning, std::span<const int64_t> lengths,
                          const CancelToken& cancel) const;

  MusicgenConfig config_;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  c10::ScalarType type_ = at::kFloat;  // of products, keys and values
  at::Tensor embeddings_;              // [books * (vocab + 1), hidden], as MusicgenDecoder keeps them
  at::Tensor frequencies_;             // [hidden / 2]
  std::vector<MusicgenLayerOf<Linear>> layers_;
  LayerNorm norm_;
  Linear heads_;  // of all books
  MusicgenProjections projections_;
};

}  // namespace grym
