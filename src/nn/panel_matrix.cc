#include "nn/panel_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "nn/bfloat_conv.h"
#include "nn/bfloat_kernels.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Up to so many outputs the sums are taken along the inputs: a panel would be mostly empty.
constexpr int64_t kMostNarrow = 3;
// Below so many multiplications a second thread costs more than it saves.
constexpr int64_t kFewestForThreads = 1 << 16;

// Of inputs, rounded, for some rows at once, on a thread's stack: 128 KiB.
constexpr int64_t kPairNumbers = int64_t{64} << 10;

int64_t PanelsOf(int64_t out, int64_t width = kPanelWidth) { return (out + width - 1) / width; }
bool IsNarrow(int64_t out) { return out <= kMostNarrow; }
bool InHalves(int64_t out, Precision precision) { return precision == Precision::kBFloat16 && !IsNarrow(out); }
bool InPairs(int64_t in, int64_t out, Precision precision) {
  return InHalves(out, precision) && HasBFloatProducts() && in < kPairNumbers;
}
int64_t PairNumbers(int64_t in) { return (in + 1) / 2 * 2 * kBFloatPanel; }  // of a panel

uint16_t* HalvesOf(const at::Tensor& tensor) { return static_cast<uint16_t*>(tensor.data_ptr()); }

// Calls work(begin, end) over [0, count) by all threads, or by this one where it is little.
template <class Work>
void ForRanges(int64_t count, int64_t step, bool little, const Work& work) {
  if (little || count <= step) return work(int64_t{0}, count);
  at::parallel_for(0, (count + step - 1) / step, 1, [&](int64_t begin, int64_t end) {
    work(begin * step, std::min(count, end * step));
  });
}

}  // namespace

PanelMatrix PanelMatrix::Pack(const at::Tensor& weight, const at::Tensor& bias, Precision precision) {
  if (!weight.defined()) return {};  // the reader keeps what is wrong with it
  return PackRows(weight.size(1), weight.size(0), [&](int64_t row) { return weight.select(0, row); }, bias, precision);
}

PanelMatrix PanelMatrix::PackRows(int64_t in, int64_t out, const std::function<at::Tensor(int64_t)>& row,
                                  const at::Tensor& bias, Precision precision) {
  PanelMatrix packed;
  packed.in_ = in;
  packed.out_ = out;
  packed.pairs_ = InPairs(in, out, precision);
  const int64_t panels = PanelsOf(out), width = IsNarrow(out) ? 1 : kPanelWidth;
  packed.bias_ = at::zeros({panels * kPanelWidth}, at::kFloat);
  if (bias.defined()) packed.bias_.narrow(0, 0, out).copy_(bias);
  if (packed.pairs_) {
    packed.PackPairs(row);
    return packed;
  }
  packed.panels_ = at::empty({(out + width - 1) / width, in, width}, StorageType(InHalves(out, precision) ? precision
                                                                                 : Precision::kFloat32));
  if (out % width != 0) packed.panels_.select(0, panels - 1).zero_();
  for (int64_t i = 0; i < out; ++i) packed.panels_.select(0, i / width).select(1, i % width).copy_(row(i));
  return packed;
}

void PanelMatrix::PackPairs(const std::function<at::Tensor(int64_t)>& row) {
  const int64_t panels = PanelsOf(out_, kBFloatPanel);
  panels_ = at::empty({panels, PairNumbers(in_)}, at::kBFloat16);
  std::vector<uint16_t> rows(static_cast<size_t>(kBFloatPanel * in_));
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t first = panel * kBFloatPanel, count = std::min(kBFloatPanel, out_ - first);
    for (int64_t i = 0; i < count; ++i) {
      const at::Tensor numbers = row(first + i).contiguous();
      BestBFloatKernels().round(numbers.const_data_ptr<float>(), in_, rows.data() + i * in_);
    }
    BestBFloatKernels().pack({rows.data(), count, 1, in_, HalvesOf(panels_) + panel * PairNumbers(in_)});
  }
}

void PanelMatrix::Apply(const float* x, int64_t x_stride, int64_t rows, float* y, const PanelAfter& after) const {
  if (pairs_) return ApplyPairs(x, x_stride, rows, y, after);
  PanelWork work;
  work.x = x;
  work.x_stride = x_stride;
  if (panels_.scalar_type() == at::kFloat) {
    work.panels = panels_.const_data_ptr<float>();
  } else {
    work.halves = HalvesOf(panels_);
  }
  work.bias = bias_.const_data_ptr<float>();
  work.in = in_;
  work.out = out_;
  work.y = y;
  work.y_stride = out_;
  work.added = after.added;
  work.added_stride = after.added_stride;
  work.elu = after.elu;
  const PanelKernels& kernels = BestPanelKernels();
  const bool little = rows * in_ * out_ < kFewestForThreads;
  if (IsNarrow(out_)) {
    ForRanges(rows, 64, little, [&](int64_t begin, int64_t end) { kernels.narrow_product(work, begin, end); });
    return;
  }
  // By outputs where there are enough of them, so that each core reads its own weights; else by rows.
  const int64_t panels = PanelsOf(out_);
  if (panels >= 4 * at::get_num_threads()) {
    ForRanges(panels, 1, little, [&](int64_t begin, int64_t end) { kernels.product(work, 0, rows, begin, end); });
  } else {
    ForRanges(rows, 48, little, [&](int64_t begin, int64_t end) { kernels.product(work, begin, end, 0, panels); });
  }
}

// The same division.
void PanelMatrix::ApplyPairs(const float* x, int64_t x_stride, int64_t rows, float* y, const PanelAfter& after) const {
  const int64_t panels = PanelsOf(out_, kBFloatPanel);
  const int64_t fit = in_ % 2 == 0 ? (kPairNumbers - in_) / x_stride + 1 : kPairNumbers / (in_ + 1);
  const int64_t at_once = std::clamp<int64_t>(fit, 1, BestBFloatKernels().rows_at_once);
  const auto work = [&](int64_t begin, int64_t end, int64_t first, int64_t last) {
    const int64_t column = first * kBFloatPanel, count = std::min(out_, last * kBFloatPanel) - column;
    for (int64_t row = begin; row < end; row += at_once) {
      const int64_t some = std::min(at_once, end - row);
      PairRows(x + row * x_stride, x_stride, some, first, last, y + row * out_);
      if (!after.added && !after.elu) continue;
      for (int64_t i = row; i < row + some; ++i) {
        float* const to = y + i * out_ + column;
        const float* const added = after.added ? after.added + i * after.added_stride + column : nullptr;
        for (int64_t j = 0; added && j < count; ++j) to[j] += added[j];
        if (after.elu) BestPanelKernels().elu(to, to, count);
      }
    }
  };
  const bool little = rows * in_ * out_ < kFewestForThreads;
  if (panels >= 2 * at::get_num_threads()) {
    ForRanges(panels, 1, little, [&](int64_t begin, int64_t end) { work(0, rows, begin, end); });
  } else {
    ForRanges(rows, at_once, little, [&](int64_t begin, int64_t end) { work(begin, end, 0, panels); });
  }
}

// So few rows that their inputs, rounded, fit on the stack; the panels [first, last).
void PanelMatrix::PairRows(const float* x, int64_t x_stride, int64_t rows, int64_t first, int64_t last,
                           float* y) const {
  std::array<uint16_t, kPairNumbers> inputs;
  std::array<int64_t, kMostBFloatRows> begins;
  const int64_t none = 0;
  if (in_ % 2 == 0) {
    BestBFloatKernels().round(x, (rows - 1) * x_stride + in_, inputs.data());
    for (int64_t i = 0; i < rows; ++i) begins[static_cast<size_t>(i)] = i * x_stride;
  } else {  // each by itself, with a zero as the other of its last pair
    for (int64_t i = 0; i < rows; ++i) {
      uint16_t* const row = inputs.data() + i * (in_ + 1);
      BestBFloatKernels().round(x + i * x_stride, in_, row);
      row[in_] = 0;
      begins[static_cast<size_t>(i)] = i * (in_ + 1);
    }
  }
  BFloatProductWork work;
  work.x = inputs.data();
  work.rows = begins.data();
  work.offsets = &none;
  work.segments = 1;
  work.pairs = (in_ + 1) / 2;
  work.y_stride = out_;
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * kBFloatPanel;
    work.panel = HalvesOf(panels_) + panel * PairNumbers(in_);
    work.bias = bias_.const_data_ptr<float>() + column;
    work.y = y + column;
    work.outputs = std::min(kBFloatPanel, out_ - column);
    BestBFloatKernels().product(work, rows);
  }
}

int64_t PanelMatrix::BytesKept(int64_t in, int64_t out, Precision precision) {
  const int64_t columns = PanelsOf(out) * kPanelWidth, biases = AllocatedBytes(columns * 4);
  if (InPairs(in, out, precision)) return AllocatedBytes(PanelsOf(out, kBFloatPanel) * PairNumbers(in) * 2) + biases;
  return AllocatedBytes((IsNarrow(out) ? out : columns) * in * (InHalves(out, precision) ? 2 : 4)) + biases;
}

void EluInto(const float* x, float* y, int64_t count) {
  const PanelKernels& kernels = BestPanelKernels();
  ForRanges(count, 4096, count < 16384,
            [&](int64_t begin, int64_t end) { kernels.elu(x + begin, y + begin, end - begin); });
}

// Units that are not there have weights and biases of 0: their outputs stay 0.
void LstmLayer::PackInput(const at::Tensor& weight, const at::Tensor& bias, Precision precision) {
  if (!weight.defined() || !bias.defined()) return;
  units_ = weight.size(0) / 4;
  padded_ = PaddedUnits(units_);
  const at::Tensor none = at::zeros({weight.size(1)}, at::kFloat);
  at::Tensor biases = at::zeros({padded_ / kUnitBlock, 4, kUnitBlock}, at::kFloat);
  const auto row_of = [&](int64_t i) {  // in the checkpoint, -1 where there is none
    const int64_t block = i / (4 * kUnitBlock), gate = i / kUnitBlock % 4, unit = block * kUnitBlock + i % kUnitBlock;
    return unit < units_ ? gate * units_ + unit : -1;
  };
  for (int64_t i = 0; i < 4 * padded_; ++i) {
    if (row_of(i) >= 0) biases.view({-1}).select(0, i).copy_(bias.select(0, row_of(i)));
  }
  input_ = PanelMatrix::PackRows(
      weight.size(1), 4 * padded_,
      [&](int64_t i) { return row_of(i) >= 0 ? weight.select(0, row_of(i)) : none; }, biases.view({-1}), precision);
}

void LstmLayer::PackRecurrent(const at::Tensor& weight, Precision precision) {
  if (!weight.defined()) return;
  units_ = weight.size(1);
  padded_ = PaddedUnits(units_);
  const int64_t blocks = padded_ / kUnitBlock;
  recurrent_ = at::empty({blocks, padded_, 4, kUnitBlock}, StorageType(precision));
  if (padded_ != units_) recurrent_.zero_();
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * kUnitBlock, count = std::min(kUnitBlock, units_ - first);
    for (int64_t gate = 0; gate < 4; ++gate) {
      recurrent_.select(0, block).narrow(0, 0, units_).select(1, gate).narrow(1, 0, count)
          .copy_(weight.narrow(0, gate * units_ + first, count).t());
    }
  }
}

at::Tensor LstmLayer::NewState() const { return at::zeros({3, padded_}, at::kFloat); }

void LstmLayer::Run(const float* x, int64_t x_stride, int64_t steps, float* gates, float* y, at::Tensor& state) const {
  input_.Apply(x, x_stride, steps, gates);
  const PanelKernels& kernels = BestPanelKernels();
  float* before = state.mutable_data_ptr<float>();
  float* now = before + padded_;
  LstmWork work;
  if (recurrent_.scalar_type() == at::kFloat) {
    work.recurrent = recurrent_.const_data_ptr<float>();
  } else {
    work.halves = HalvesOf(recurrent_);
  }
  work.cell = before + 2 * padded_;
  work.units = padded_;
  const int64_t blocks = padded_ / kUnitBlock;
  for (int64_t step = 0; step < steps; ++step) {
    work.gates = gates + step * 4 * padded_;
    work.before = before;
    work.output = now;
    ForRanges(blocks, 1, 4 * padded_ * padded_ < kFewestForThreads,
              [&](int64_t begin, int64_t end) { kernels.lstm_step(work, begin, end); });
    std::memcpy(y + step * units_, now, static_cast<size_t>(units_) * sizeof(float));
    std::swap(before, now);
  }
  // The last output lies first again.
  if (steps % 2 != 0) {
    float* const first = state.mutable_data_ptr<float>();
    std::memcpy(first, first + padded_, static_cast<size_t>(padded_) * sizeof(float));
  }
}

int64_t LstmLayer::BytesKept(int64_t in, int64_t units, Precision precision) {
  const int64_t padded = PaddedUnits(units);
  return PanelMatrix::BytesKept(in, 4 * padded, precision) +
         AllocatedBytes(BytesOf(precision, 4 * padded * padded));
}

}  // namespace grym
