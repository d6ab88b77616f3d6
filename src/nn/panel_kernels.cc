#include "nn/panel_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nn/panel_kernels_avx2.h"
#include "quant/half.h"

namespace grym {
namespace {

float Weight(const float* weights, const uint16_t* halves, int64_t i) {
  return halves ? BFloat16ToFloat(halves[i]) : weights[i];
}

void PlainProduct(const PanelWork& work, int64_t begin, int64_t end, int64_t first, int64_t last) {
  for (int64_t row = begin; row < end; ++row) {
    const float* const x = work.x + row * work.x_stride;
    for (int64_t panel = first; panel < last; ++panel) {
      float sums[kPanelWidth] = {};
      const int64_t begin_weight = panel * work.in * kPanelWidth;
      for (int64_t k = 0; k < work.in; ++k) {
        for (int64_t j = 0; j < kPanelWidth; ++j) {
          sums[j] += x[k] * Weight(work.panels, work.halves, begin_weight + k * kPanelWidth + j);
        }
      }
      const int64_t column = panel * kPanelWidth, count = std::min(kPanelWidth, work.out - column);
      for (int64_t j = 0; j < count; ++j) {
        float sum = sums[j] + work.bias[column + j];
        if (work.added) sum += work.added[row * work.added_stride + column + j];
        if (work.elu && sum < 0) sum = std::expm1(sum);
        work.y[row * work.y_stride + column + j] = sum;
      }
    }
  }
}

void PlainNarrowProduct(const PanelWork& work, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* const x = work.x + row * work.x_stride;
    for (int64_t column = 0; column < work.out; ++column) {
      const float* const weights = work.panels + column * work.in;
      float sums[kPanelWidth] = {};
      int64_t k = 0;
      for (; k + kPanelWidth <= work.in; k += kPanelWidth) {
        for (int64_t j = 0; j < kPanelWidth; ++j) sums[j] += x[k + j] * weights[k + j];
      }
      float sum = work.bias[column];
      for (; k < work.in; ++k) sum += x[k] * weights[k];
      for (const float part : sums) sum += part;
      if (work.added) sum += work.added[row * work.added_stride + column];
      if (work.elu && sum < 0) sum = std::expm1(sum);
      work.y[row * work.y_stride + column] = sum;
    }
  }
}

void PlainElu(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] < 0 ? std::expm1(x[i]) : x[i];
}

void PlainLstmStep(const LstmWork& work, int64_t first, int64_t last) {
  constexpr int64_t kGates = 4 * kUnitBlock;
  const auto sigmoid = [](float x) { return 1.0f / (1.0f + std::exp(-x)); };
  for (int64_t block = first; block < last; ++block) {
    float sums[kGates];
    std::memcpy(sums, work.gates + block * kGates, sizeof(sums));
    const int64_t begin = block * work.units * kGates;
    for (int64_t k = 0; k < work.units; ++k) {
      for (int64_t j = 0; j < kGates; ++j) {
        sums[j] += work.before[k] * Weight(work.recurrent, work.halves, begin + k * kGates + j);
      }
    }
    for (int64_t j = 0; j < kUnitBlock; ++j) {
      float& cell = work.cell[block * kUnitBlock + j];
      cell = sigmoid(sums[kUnitBlock + j]) * cell + sigmoid(sums[j]) * std::tanh(sums[2 * kUnitBlock + j]);
      work.output[block * kUnitBlock + j] = sigmoid(sums[3 * kUnitBlock + j]) * std::tanh(cell);
    }
  }
}

}  // namespace

const PanelKernels& PortablePanelKernels() {
  static constexpr PanelKernels kernels = {"portable", &PlainProduct, &PlainNarrowProduct, &PlainElu, &PlainLstmStep};
  return kernels;
}

const PanelKernels& BestPanelKernels() {
  static const PanelKernels& best = HasAvx2PanelKernels() ? Avx2PanelKernels() : PortablePanelKernels();
  return best;
}

}  // namespace grym
