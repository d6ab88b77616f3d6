#include "models/musicgen/device_state.h"

#include <algorithm>
#include <limits>

#include "runtime/memory_budget.h"

namespace grym {
namespace {

// The kernels for attention with a mask want its rows aligned, or copy it in every layer.
constexpr int64_t kAlignedSlots = 8;
constexpr int64_t kSlotsTogether = 256;
// The weights are read once for so many rows of a prompt; a GPU is busy with fewer than a thousand.
constexpr int64_t kDeviceRowsAtOnce = 256;

int64_t WholeSlots(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

struct CacheSides {
  int64_t self, cross;  // positions
};
CacheSides SidesOf(const MusicgenConfig& config, int64_t most_steps, int64_t conditioning) {
  return {WholeSlots(most_steps + (config.melody ? conditioning : 0), kAlignedSlots),
          config.melody ? 0 : WholeSlots(conditioning, kAlignedSlots)};
}

}  // namespace

int64_t MusicgenDeviceStepsAtOnce(int64_t rows) { return std::max<int64_t>(1, kDeviceRowsAtOnce / rows); }

MusicgenInputs MusicgenInputs::In(const at::Tensor& both, int64_t rows, int64_t count, int64_t books) {
  return {both.narrow(0, 0, count), both.narrow(0, count, rows * count * books).view({rows, count, books})};
}

MusicgenDeviceState::MusicgenDeviceState(const MusicgenConfig& config, c10::ScalarType type, c10::Device device,
                                         int64_t rows, int64_t most_steps, int64_t conditioning)
    : rows_(rows), most_steps_(most_steps), prefix_(config.melody ? conditioning : 0), graph_(device) {
  const auto [self, cross] = SidesOf(config, most_steps, conditioning);
  const auto there = at::TensorOptions().dtype(type).device(device);
  // Zeros: what was never written is masked, and 0 times what memory happens to hold may be NaN.
  self_ = at::zeros({config.layers, rows, self, 2 * config.hidden}, there);
  if (cross > 0) {
    cross_ = at::zeros({config.layers, rows, cross, 2 * config.hidden}, there);
    cross_mask_ = at::zeros({rows, 1, 1, cross}, there);
  }
  slots_ = at::arange(self, there.dtype(at::kLong));
  const int64_t inputs = 1 + rows * config.books;
  given_ = at::zeros({inputs}, at::TensorOptions().dtype(at::kLong).pinned_memory(device.is_cuda()));
  taken_ = at::zeros({inputs}, there.dtype(at::kLong));
  logits_ = at::zeros({rows, config.books * config.vocab_size}, there.dtype(at::kFloat));
}

int64_t MusicgenDeviceState::Bytes(const MusicgenConfig& config, c10::ScalarType type, c10::Device device,
                                   int64_t rows, int64_t most_steps, int64_t conditioning) {
  const auto [self, cross] = SidesOf(config, most_steps, conditioning);
  const auto element = static_cast<int64_t>(c10::elementSize(type));
  const int64_t inputs = AllocatedBytes((1 + rows * config.books) * 8);
  return AllocatedBytes(config.layers * rows * self * 2 * config.hidden * element) +
         AllocatedBytes(config.layers * rows * cross * 2 * config.hidden * element) +
         AllocatedBytes(rows * cross * element) + AllocatedBytes(self * 8) + inputs * (device.is_cpu() ? 2 : 1) +
         AllocatedBytes(rows * config.books * config.vocab_size * 4);
}

int64_t MusicgenDeviceState::SlotsFor(int64_t count) const {
  return std::min(self_.size(2), WholeSlots(position_ + count, kSlotsTogether));
}

at::Tensor MusicgenDeviceState::Mask(const at::Tensor& positions, int64_t slots) const {
  const at::Tensor later = slots_.narrow(0, 0, slots).unsqueeze(0).gt(positions.unsqueeze(1));
  return at::zeros(later.sizes(), self_.options()).masked_fill_(later, -std::numeric_limits<double>::infinity());
}

}  // namespace grym
