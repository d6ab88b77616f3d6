// Everything that changes while codes are made on a device.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "models/musicgen/config.h"
#include "runtime/device_graph.h"
#include "runtime/tensor.h"

namespace grym {

// What `count` steps of `rows` sequences are told, int64: positions [count], and the rows of all books' tables, as if
// those stood one below the other [rows, count, books].
struct MusicgenInputs {
  at::Tensor positions, places;
  // Views of `both` [count + rows * count * books], so that they are one copy to the device.
  static MusicgenInputs In(const at::Tensor& both, int64_t rows, int64_t count, int64_t books);
};

// Of `rows` sequences that are decoded side by side. Made by MusicgenDeviceDecoder::NewState, whole at once. Movable;
// belongs to one thread at a time.
class MusicgenDeviceState {
 public:
  // Keys and values are kept in `type`. `conditioning`: positions that are cross-attended, or a melody model's prefix.
  MusicgenDeviceState(const MusicgenConfig& config, c10::ScalarType type, c10::Device device, int64_t rows,
                      int64_t most_steps, int64_t conditioning);
  MusicgenDeviceState(MusicgenDeviceState&&) = default;
  MusicgenDeviceState& operator=(MusicgenDeviceState&&) = default;
  static int64_t Bytes(const MusicgenConfig& config, c10::ScalarType type, c10::Device device, int64_t rows,
                       int64_t most_steps, int64_t conditioning);

  int64_t rows() const { return rows_; }
  int64_t most_steps() const { return most_steps_; }
  int64_t steps_done() const { return position_ - prefix_; }
  int64_t steps_left() const { return most_steps_ - steps_done(); }

 private:
  friend class MusicgenDeviceDecoder;
  // Slots of the cache that `count` more positions can attend to, in steps of kSlotsTogether: shapes, and with them a
  // captured graph, stay the same for as many steps, and a run's beginning does not read what is empty.
  int64_t SlotsFor(int64_t count) const;
  // 0 where a position of `positions` [count] may attend to a slot, -inf where not: [count, slots].
  at::Tensor Mask(const at::Tensor& positions, int64_t slots) const;

  int64_t rows_, most_steps_, prefix_ = 0;  // prefix: positions of conditioning before the first code
  int64_t position_ = 0;
  at::Tensor self_;    // [layers, rows, slots, 2 * hidden], a key and a value for each position
  at::Tensor cross_;   // [layers, rows, length, 2 * hidden]; undefined where nothing is cross-attended
  at::Tensor cross_mask_;  // [rows, 1, 1, length], as Mask
  at::Tensor slots_;   // int64, 0, 1, ...
  at::Tensor given_, taken_;  // a step's MusicgenInputs on the CPU and on the device
  at::Tensor logits_;  // float32 [rows, books * vocab]
  DeviceGraph graph_;  // of a step that attends to graph_slots_
  int64_t graph_slots_ = 0;
};

// So many rows are computed at once at most: several steps of each sequence.
int64_t MusicgenDeviceStepsAtOnce(int64_t rows);

}  // namespace grym
