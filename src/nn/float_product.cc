#include "nn/float_product.h"

#include <algorithm>
#include <vector>

#include "dsp/dispatch.h"
#include "nn/tile_product.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kPanel = 64;    // results that are made of the same weights: four registers of the widest kernels
constexpr int64_t kBlockRows = 64;  // at once
constexpr int64_t kDepth = 768;     // of the inputs: so many that they stay in the second cache beside a panel's weights
constexpr int64_t kRowStep = 16;  // there is a kernel for each number of rows: few of them
constexpr int64_t kGap = 16;      // between rows of the inputs, so that they do not meet in one set of the cache
constexpr int64_t kItemsAThread = 2;

bool IsFastWithOneDnn() {
#if defined(__x86_64__) && defined(__GNUC__)
  return !__builtin_cpu_is("intel") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

int64_t RoundedRows(int64_t rows) { return (rows + kRowStep - 1) / kRowStep * kRowStep; }
int64_t BlockRows(int64_t rows) { return std::min(kBlockRows, RoundedRows(rows)); }
int64_t FloatsAThread(int64_t in, int64_t rows) { return BlockRows(rows) * (in + kGap + kPanel); }

GRYM_HOT void AddTo(float* GRYM_RESTRICT y, const float* GRYM_RESTRICT more, int64_t count) {
  for (int64_t j = 0; j < count; ++j) y[j] += more[j];
}

// What one thread works in: some rows, laid apart, and their sums with one panel.
class RowsWorker {
 public:
  RowsWorker(int64_t in, int64_t out, int64_t rows, float* scratch)
      : in_(in), out_(out), inputs_(scratch), sums_(scratch + BlockRows(rows) * (in + kGap)) {}

  void Read(const float* x, int64_t count) {
    count_ = count;
    for (int64_t i = 0; i < count; ++i) std::copy_n(x + i * in_, in_, inputs_ + i * (in_ + kGap));
    std::fill(inputs_ + count * (in_ + kGap), inputs_ + RoundedRows(count) * (in_ + kGap), 0.0f);
  }

  // Results of panels [first, last) of the rows; `y` is the first row's.
  void Multiply(int64_t first, int64_t last, const float* panels, const float* bias, bool add, float* y) {
    const int64_t begin = first * kPanel, end = std::min(out_, last * kPanel);
    // The last rows, if they fill no kernel, through memory of our own.
    const bool whole = count_ == RoundedRows(count_);
    if (whole) {
      for (int64_t k = 0; k < in_; k += kDepth) {
        for (int64_t at = begin; at < end; at += kPanel) Sum(at, k, k + kDepth, panels, add || k > 0, y + at, out_);
      }
    } else {
      for (int64_t at = begin; at < end; at += kPanel) {
        const int64_t columns = std::min(kPanel, out_ - at);
        std::fill_n(sums_, RoundedRows(count_) * columns, 0.0f);
        for (int64_t i = 0; add && i < count_; ++i) std::copy_n(y + i * out_ + at, columns, sums_ + i * columns);
        for (int64_t k = 0; k < in_; k += kDepth) Sum(at, k, k + kDepth, panels, add || k > 0, sums_, columns);
        for (int64_t i = 0; i < count_; ++i) std::copy_n(sums_ + i * columns, columns, y + i * out_ + at);
      }
    }
    for (int64_t i = 0; bias && i < count_; ++i) AddTo(y + i * out_ + begin, bias + begin, end - begin);
  }

 private:
  // Of the inputs [begin, end) and the panel whose first result is `at`.
  void Sum(int64_t at, int64_t begin, int64_t end, const float* panels, bool add, float* sums, int64_t stride) const {
    const int64_t columns = std::min(kPanel, out_ - at);
    MultiplyTile(RoundedRows(count_), std::min(in_, end) - begin, columns, {inputs_ + begin, in_ + kGap},
                 {panels + at * in_ + begin * columns, columns}, add, sums, stride);
  }

  const int64_t in_, out_;
  float *const inputs_, *const sums_;
  int64_t count_ = 0;
};

}  // namespace

bool HasFloatProducts() {
  static const bool has = IsFastWithOneDnn() && HasTileProducts();
  return has;
}

at::Tensor InFloatPanels(at::Tensor weight) {
  if (!weight.defined() || weight.scalar_type() != at::kFloat || !weight.is_cpu() || !weight.is_contiguous() ||
      weight.numel() == 0 || !HasFloatProducts()) {
    return weight;
  }
  const int64_t out = weight.size(0), in = weight.size(1);
  float* const numbers = weight.mutable_data_ptr<float>();
  at::parallel_for(0, (out + kPanel - 1) / kPanel, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> rows(static_cast<size_t>(kPanel * in));
    for (int64_t first = begin * kPanel; first < std::min(out, end * kPanel); first += kPanel) {
      const int64_t columns = std::min(kPanel, out - first);
      float* const panel = numbers + first * in;
      std::copy_n(panel, columns * in, rows.data());
      constexpr int64_t kSquare = 16;  // both sides of which stay in the first cache
      for (int64_t k = 0; k < in; k += kSquare) {
        for (int64_t j = 0; j < columns; ++j) {
          for (int64_t i = k; i < std::min(in, k + kSquare); ++i) {
            panel[i * columns + j] = rows[static_cast<size_t>(j * in + i)];
          }
        }
      }
    }
  });
  return weight.view(at::kInt);
}

void MultiplyFloatPanels(const at::Tensor& x, const at::Tensor& panels, const at::Tensor& bias, bool add,
                         at::Tensor& y) {
  const int64_t rows = x.size(0), in = x.size(1), out = panels.size(0);
  TORCH_CHECK(x.is_contiguous() && y.is_contiguous() && in == panels.size(1) && y.size(0) == rows && y.size(1) == out,
              "want contiguous rows of the panels' sizes, got ", x.sizes(), ", ", panels.sizes(), " and ", y.sizes());
  if (rows < 1) return;
  const at::Tensor scratch = at::empty({at::get_num_threads(), FloatsAThread(in, rows)}, x.options());
  float* const each = scratch.mutable_data_ptr<float>();
  const float* const from = x.const_data_ptr<float>();
  const float* const shift = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  const auto* const weights = static_cast<const float*>(panels.const_data_ptr());
  float* const to = y.mutable_data_ptr<float>();
  const int64_t blocks = (rows + kBlockRows - 1) / kBlockRows, widths = (out + kPanel - 1) / kPanel;
  const int64_t wanted = (kItemsAThread * at::get_num_threads() + blocks - 1) / blocks;
  const int64_t group = (widths + std::min(widths, wanted) - 1) / std::min(widths, wanted);  // panels of an item
  const int64_t groups = (widths + group - 1) / group;
  at::parallel_for(0, blocks * groups, 1, [&](int64_t begin, int64_t end) {
    RowsWorker worker(in, out, rows, each + at::get_thread_num() * FloatsAThread(in, rows));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / groups * kBlockRows, first = item % groups * group;
      if (item == begin || first == 0) worker.Read(from + row * in, std::min(kBlockRows, rows - row));
      worker.Multiply(first, std::min(widths, first + group), weights, shift, add, to + row * out);
    }
  });
}

int64_t FloatProductScratchBytes(int64_t in, int64_t rows) {
  return rows < 1 || !HasFloatProducts() ? 0 : AllocatedBytes(at::get_num_threads() * FloatsAThread(in, rows) * 4);
}

}  // namespace grym
