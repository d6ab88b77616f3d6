// Weights packed for products with rows of signals along time, and the recurrent half of an LSTM. On the CPU.
#pragma once
#include <cstdint>
#include <functional>

#include "nn/panel_kernels.h"
#include "runtime/device.h"
#include "runtime/tensor.h"

namespace grym {

// What is done with a product before it is written.
struct PanelAfter {
  const float* added = nullptr;  // [rows, out], a row every `added_stride` floats: a residual. Not the result itself.
  int64_t added_stride = 0;
  bool elu = false;  // of the sum
};

// y = W x + b for many rows x, which may overlap: with rows of `taps` frames that start a stride apart, a convolution
// along time is one product without a copy of its input. What follows it most often is done while a result is in a
// register. Weights in bfloat16 are multiplied with rows rounded to it where the CPU has units for them
// (nn/bfloat_conv.h), and with float32 rows elsewhere; those of a few outputs stay float32. Sums are float32.
// Immutable once packed; threads: const methods may run together.
class PanelMatrix {
 public:
  PanelMatrix() = default;
  // `weight` float32 [out, in], `bias` [out] or undefined, both on the CPU. They are kept in `precision`, float32 or
  // bfloat16.
  static PanelMatrix Pack(const at::Tensor& weight, const at::Tensor& bias,
                          Precision precision = Precision::kFloat32);
  // The same from rows in any order: `row` answers those of the result, [in] each, strided as they may be. What is as
  // large as the result is then never made a second time.
  static PanelMatrix PackRows(int64_t in, int64_t out, const std::function<at::Tensor(int64_t)>& row,
                              const at::Tensor& bias, Precision precision = Precision::kFloat32);
  bool loaded() const { return panels_.defined(); }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  // y_i = after(W x_i + b), x_i at x + i * x_stride, y_i at y + i * out. All cores.
  void Apply(const float* x, int64_t x_stride, int64_t rows, float* y, const PanelAfter& after = {}) const;
  static int64_t BytesKept(int64_t in, int64_t out, Precision precision = Precision::kFloat32);

 private:
  void ApplyPairs(const float* x, int64_t x_stride, int64_t rows, float* y, const PanelAfter& after) const;
  void PairRows(const float* x, int64_t x_stride, int64_t rows, int64_t first, int64_t last, float* y) const;
  void PackPairs(const std::function<at::Tensor(int64_t)>& row);
  at::Tensor panels_, bias_;
  bool pairs_ = false;  // panels as nn/bfloat_kernels.h wants them
  int64_t in_ = 0, out_ = 0;
};

// y = elu(x), all cores; `y` may be `x`.
void EluInto(const float* x, float* y, int64_t count);

// Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the forget gates of Gers et al., 2000, and
// the gates in the order of torch.nn.LSTM: input, forget, cell, output. What the inputs give to the gates is one
// product over all steps, the steps themselves read the recurrent weights once each.
class LstmLayer {
 public:
  LstmLayer() = default;
  // weight [4 units, in], bias [4 units], the sum of both that torch has; and weight [4 units, units]. float32 on the
  // CPU. Apart, so that a loader need not hold both.
  void PackInput(const at::Tensor& weight, const at::Tensor& bias, Precision precision = Precision::kFloat32);
  void PackRecurrent(const at::Tensor& weight, Precision precision = Precision::kFloat32);
  bool loaded() const { return recurrent_.defined(); }
  int64_t units() const { return units_; }
  int64_t padded_units() const { return padded_; }  // a multiple of kUnitBlock
  // float32 [3, padded_units]: two outputs in turn and the cell, all 0 before the first step.
  at::Tensor NewState() const;
  // x [steps, in] with a row every `x_stride` floats -> y [steps, units]; y may be x where the widths agree. `gates` is
  // room for steps * 4 * padded_units floats. Goes on from `state`.
  void Run(const float* x, int64_t x_stride, int64_t steps, float* gates, float* y, at::Tensor& state) const;
  static int64_t BytesKept(int64_t in, int64_t units, Precision precision = Precision::kFloat32);
  static int64_t PaddedUnits(int64_t units) { return (units + kUnitBlock - 1) / kUnitBlock * kUnitBlock; }

 private:
  PanelMatrix input_;
  at::Tensor recurrent_;  // as LstmWork wants it
  int64_t units_ = 0, padded_ = 0;
};

}  // namespace grym
