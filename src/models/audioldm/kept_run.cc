#include "models/audioldm/kept_run.h"

#include <algorithm>
#include <utility>

namespace grym {
namespace {

std::vector<float> FloatsOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor plain = tensor.to(at::kCPU, at::kFloat).contiguous();
  return {plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel()};
}

at::Tensor TensorOf(const std::vector<float>& values, const std::vector<int64_t>& shape, c10::Device device) {
  if (values.empty()) return {};
  at::Tensor tensor = at::empty(shape, at::kFloat);
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
  return tensor.to(device);
}

}  // namespace

PlainDenoiseState PlainDenoiseState::Of(const DenoiseState& state) {
  if (!state.latents.defined()) return {};
  return {state.latents.sizes().vec(), FloatsOf(state.latents), FloatsOf(state.scheduler.previous),
          state.scheduler.position};
}

DenoiseState PlainDenoiseState::On(c10::Device device) const {
  DenoiseState state;
  state.latents = TensorOf(latents, shape, device);
  state.scheduler = {position, TensorOf(previous, shape, device)};
  return state;
}

void KeptRun::Keep(std::string request, PlainDenoiseState state) {
  std::lock_guard<std::mutex> lock(mutex_);
  request_ = std::move(request);
  state_ = std::move(state);
}

PlainDenoiseState KeptRun::Take(const std::string& request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_.empty() || request_ != request) return {};
  return std::exchange(state_, {});
}

}  // namespace grym
