// Products of rows with packed weights, exponentials and the steps of an LSTM, as plain loops: no tensors here.
#pragma once
#include <cstdint>

namespace grym {

inline constexpr int64_t kPanelWidth = 16;  // outputs whose weights lie side by side
inline constexpr int64_t kUnitBlock = 8;    // LSTM units that are stepped at once

// y_i = after(W x_i + bias) for rows [begin, end) and panels [first, last). x_i starts at x + i * x_stride and has `in`
// floats; rows may overlap, so that a convolution along time is one product.
struct PanelWork {
  const float* x = nullptr;
  int64_t x_stride = 0;
  const float* panels = nullptr;  // [panels][in][kPanelWidth], zeros beyond `out`
  const uint16_t* halves = nullptr;  // the same in bfloat16, in place of it
  const float* bias = nullptr;    // [panels * kPanelWidth]
  int64_t in = 0, out = 0;
  float* y = nullptr;
  int64_t y_stride = 0;
  const float* added = nullptr;  // y's shape, with a stride of its own; added before the ELU. May not overlap y.
  int64_t added_stride = 0;
  bool elu = false;
};

// One step of an LSTM layer for unit blocks [first, last).
struct LstmWork {
  const float* recurrent = nullptr;  // [blocks][units][4][kUnitBlock]: input, forget, cell, output gates of a block
  const uint16_t* halves = nullptr;  // the same in bfloat16, in place of it
  const float* gates = nullptr;      // [blocks][4][kUnitBlock]: what the step's input gives, with the biases
  const float* before = nullptr;     // [blocks * kUnitBlock] the output of the step before
  float* cell = nullptr;             // the same shape, in and out
  float* output = nullptr;           // the same shape; not `before`
  int64_t units = 0;                 // a multiple of kUnitBlock
};

// How the loops are compiled. All agree to a few units in the last place; sums are taken in other orders.
struct PanelKernels {
  const char* name;
  void (*product)(const PanelWork& work, int64_t begin, int64_t end, int64_t first, int64_t last);
  // For one or a few outputs, whose weights are float32 [out][in] here: sums along `in`.
  void (*narrow_product)(const PanelWork& work, int64_t begin, int64_t end);
  // y = x for x > 0, else exp(x) - 1. `y` may be `x`.
  void (*elu)(const float* x, float* y, int64_t count);
  void (*lstm_step)(const LstmWork& work, int64_t first, int64_t last);
};

const PanelKernels& PortablePanelKernels();
// The fastest that this machine runs, chosen once.
const PanelKernels& BestPanelKernels();

}  // namespace grym
