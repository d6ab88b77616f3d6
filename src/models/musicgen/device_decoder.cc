#include "models/musicgen/device_decoder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status.h"
#include "models/musicgen/conditioning.h"
#include "nn/attention.h"

namespace grym {
namespace {

// x times each of `parts`, side by side.
at::Tensor ProductsOf(const std::vector<Linear>& parts, const at::Tensor& x) {
  if (parts.size() == 1) return parts[0](x);
  std::vector<at::Tensor> all;
  for (const Linear& part : parts) all.push_back(part(x));
  return at::cat(all, -1);
}

void CopyLogits(const at::Tensor& logits, float* to) {
  at::from_blob(to, logits.sizes(), at::kFloat).copy_(logits);  // the one place where the device is waited for
}

}  // namespace

absl::StatusOr<MusicgenDeviceState> MusicgenDeviceDecoder::NewState(int64_t rows, int64_t most_steps,
                                                                    const at::Tensor& conditioning,
                                                                    std::span<const int64_t> lengths,
                                                                    const CancelToken& cancel) const {
  GRYM_RETURN_IF_ERROR(CheckConditioning(config_, rows, most_steps, conditioning, lengths));
  const int64_t length = conditioning.defined() ? conditioning.size(1) : 0;
  const bool any = std::any_of(lengths.begin(), lengths.end(), [](int64_t real) { return real > 0; });
  // Where all that is cross-attended is nothing, its layers are left out.
  State state(config_, type_, device_, rows, most_steps, config_.melody || any ? length : 0);
  if (length == 0) return state;
  if (config_.melody) {
    GRYM_RETURN_IF_ERROR(FillPrefix(state, conditioning, lengths, cancel));
  } else if (any) {
    GRYM_RETURN_IF_ERROR(FillCross(state, conditioning, lengths, cancel));
  }
  return state;
}

// Keys and values of what is cross-attended, once for the whole run. A row without conditioning attends to zeros, whose
// values are zeros: what comes of it is too, as in the reference, and no softmax is over nothing.
absl::Status MusicgenDeviceDecoder::FillCross(State& state, const at::Tensor& conditioning,
                                              std::span<const int64_t> lengths, const CancelToken& cancel) const {
  const int64_t length = conditioning.size(1);
  const at::Tensor whole = at::zeros({state.rows_, length, config_.hidden}, state.self_.options());
  for (int64_t row = 0; row < state.rows_; ++row) {
    const int64_t real = lengths[static_cast<size_t>(row)];
    if (real == 0) continue;
    whole.select(0, row).narrow(0, 0, real).copy_(conditioning.select(0, row).narrow(0, 0, real));
    const int64_t most = state.cross_mask_.size(3);
    state.cross_mask_.select(0, row).narrow(2, real, most - real).fill_(-std::numeric_limits<double>::infinity());
  }
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    state.cross_.select(0, layer).narrow(1, 0, length).copy_(
        ProductsOf(layers_[static_cast<size_t>(layer)].cross_kv, whole));
  }
  return absl::OkStatus();
}

absl::Status MusicgenDeviceDecoder::FillPrefix(State& state, const at::Tensor& conditioning,
                                               std::span<const int64_t> lengths, const CancelToken& cancel) const {
  const int64_t length = conditioning.size(1), most = MusicgenDeviceStepsAtOnce(state.rows_);
  for (int64_t begin = 0; begin < length; begin += most) {
    const int64_t count = std::min(most, length - begin);
    at::Tensor x = at::zeros({state.rows_, count, config_.hidden}, state.logits_.options());
    for (int64_t row = 0; row < state.rows_; ++row) {
      const int64_t real = std::clamp<int64_t>(lengths[static_cast<size_t>(row)] - begin, 0, count);
      x.select(0, row).narrow(0, 0, real).copy_(conditioning.select(0, row).narrow(0, begin, real));
    }
    const at::Tensor positions = state.slots_.narrow(0, begin, count);
    AddPositions(positions, x);
    GRYM_RETURN_IF_ERROR(RunLayers(state, x, positions, state.SlotsFor(count), cancel));
    state.position_ += count;
  }
  return absl::OkStatus();
}

void MusicgenDeviceDecoder::Step(State& state, std::span<const int32_t> codes, float* logits) const {
  TORCH_CHECK(static_cast<int64_t>(codes.size()) == state.rows_ * config_.books, "want ", state.rows_ * config_.books,
              " codes, got ", codes.size());
  TORCH_CHECK(state.steps_left() >= 1, "want room for a step, got none after ", state.steps_done());
  FillInputs(state, codes, 0, 1, 1, state.given_);
  state.taken_.copy_(state.given_, /*non_blocking=*/true);
  const int64_t slots = state.SlotsFor(1);
  if (slots != std::exchange(state.graph_slots_, slots)) state.graph_.Reset();
  // Whatever changes stands in `taken_`, and a slot that is written twice holds the same: this can be captured.
  state.graph_.Run([&] {
    const MusicgenInputs inputs = MusicgenInputs::In(state.taken_, state.rows_, 1, config_.books);
    at::Tensor x = Embedded(inputs);
    RunLayers(state, x, inputs.positions, slots, {}).IgnoreError();  // nothing but a cancellation ends it
    Head(state, x);
  });
  state.position_ += 1;
  CopyLogits(state.logits_, logits);
}

absl::Status MusicgenDeviceDecoder::Prefill(State& state, std::span<const int32_t> codes, int64_t steps,
                                            float* logits, const CancelToken& cancel) const {
  TORCH_CHECK(steps >= 1 && static_cast<int64_t>(codes.size()) == state.rows_ * steps * config_.books, "want ",
              state.rows_, " rows of ", steps, " steps, got ", codes.size(), " codes");
  TORCH_CHECK(state.steps_left() >= steps, "want room for ", steps, " steps, got ", state.steps_left());
  const int64_t most = MusicgenDeviceStepsAtOnce(state.rows_);
  for (int64_t begin = 0; begin < steps; begin += most) {
    const int64_t count = std::min(most, steps - begin);
    at::Tensor both = at::empty({count + state.rows_ * count * config_.books}, at::kLong);
    FillInputs(state, codes, begin, count, steps, both);
    const MusicgenInputs inputs = MusicgenInputs::In(both.to(device_), state.rows_, count, config_.books);
    at::Tensor x = Embedded(inputs);
    GRYM_RETURN_IF_ERROR(RunLayers(state, x, inputs.positions, state.SlotsFor(count), cancel));
    state.position_ += count;
    if (begin + count == steps) Head(state, x);
  }
  CopyLogits(state.logits_, logits);
  return absl::OkStatus();
}

// codes [rows, of_steps, books], of which `count` steps from `first` on are taken.
void MusicgenDeviceDecoder::FillInputs(const State& state, std::span<const int32_t> codes, int64_t first,
                                       int64_t count, int64_t of_steps, at::Tensor& inputs) const {
  for (const int32_t code : codes) {
    TORCH_CHECK(code >= 0 && code <= config_.vocab_size, "want codes up to ", config_.vocab_size, ", got ", code);
  }
  int64_t* to = inputs.mutable_data_ptr<int64_t>();
  for (int64_t step = 0; step < count; ++step) *to++ = state.position_ + step;
  for (int64_t row = 0; row < state.rows_; ++row) {
    const int32_t* code = codes.data() + (row * of_steps + first) * config_.books;
    for (int64_t i = 0; i < count * config_.books; ++i) *to++ = *code++ + i % config_.books * (config_.vocab_size + 1);
  }
}

// [rows, count, hidden] in float32.
at::Tensor MusicgenDeviceDecoder::Embedded(const MusicgenInputs& inputs) const {
  at::Tensor x = at::embedding(embeddings_, inputs.places).sum(2, false, at::kFloat);
  AddPositions(inputs.positions, x);
  return x;
}

// Source: transformers 5.23, MusicgenSinusoidalPositionalEmbedding: cosines first, and an odd last number stays.
void MusicgenDeviceDecoder::AddPositions(const at::Tensor& positions, at::Tensor& x) const {
  const int64_t half = frequencies_.size(0);
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies_;
  x.narrow(2, 0, half).add_(angles.cos());
  x.narrow(2, half, half).add_(angles.sin());
}

// x [rows, count, hidden], in float32 and in place, of the positions [count].
absl::Status MusicgenDeviceDecoder::RunLayers(State& state, at::Tensor& x, const at::Tensor& positions, int64_t slots,
                                              const CancelToken& cancel) const {
  const int64_t dim = config_.hidden;
  const at::Tensor mask = state.Mask(positions, slots);
  for (int64_t i = 0; i < config_.layers; ++i) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const MusicgenLayerOf<Linear>& layer = layers_[static_cast<size_t>(i)];
    {
      const at::Tensor qkv = ProductsOf(layer.qkv, Normed(layer.self_norm, x));
      const at::Tensor kept = state.self_.select(0, i);
      kept.index_copy_(1, positions, qkv.narrow(2, dim, 2 * dim));
      const at::Tensor heard = kept.narrow(1, 0, slots);
      x.add_(layer.self_out(Attention(qkv.narrow(2, 0, dim), heard.narrow(2, 0, dim), heard.narrow(2, dim, dim),
                                      config_.heads, mask)));
    }
    if (state.cross_.defined()) {
      const at::Tensor query = layer.cross_query(Normed(layer.cross_norm, x)), heard = state.cross_.select(0, i);
      x.add_(layer.cross_out(Attention(query, heard.narrow(2, 0, dim), heard.narrow(2, dim, dim), config_.heads,
                                       state.cross_mask_)));
    }
    at::Tensor wide = layer.wide(Normed(layer.wide_norm, x));
    ActivateInPlace(config_.activation, wide);
    x.add_(layer.narrow(wide));
  }
  return absl::OkStatus();
}

// Of each row's last step.
void MusicgenDeviceDecoder::Head(State& state, const at::Tensor& x) const {
  state.logits_.copy_(heads_(Normed(norm_, x.select(1, x.size(1) - 1))));
}

}  // namespace grym
