#include "nn/wave_winograd.h"

#include <algorithm>
#include <array>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "nn/tile_product.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int kWaveStep = grym::kLanes;  // channels at once
constexpr int64_t kWaveResults = 4, kWaveTaps = 4, kWavePoints = kWaveResults + kWaveTaps - 1;
// Channels of the result at once: four registers of the widest kernels. What lies beside each other in memory is a
// panel: read in its order by the kernels.
constexpr int64_t kWavePanel = 64;
// Tiles at once: as many as leave their matrices in half of the second cache, and rows enough for the kernels.
constexpr int64_t kWaveTileFloats = 16384, kFewestWaveRows = 32, kMostWaveRows = 128;
constexpr int64_t kWaveRowStep = 8;  // LibTorch keeps a kernel for each number of rows: few of them
// Between the matrices of two points, so that the 7 that one tile goes to do not meet in one set of the cache.
constexpr int64_t kWaveGap = 16;
// Of transformed weights at once: more would stay in no cache, and take more memory than the plain convolution does.
constexpr int64_t kMostWeightFloats = 3 << 20;
// What is offered, by measurement. For each number that is read or written kFewestSaved multiplications are to be
// saved, or the transforms cost as much; with fewer frames in a phase the weights' transform does.
constexpr int64_t kFewestWaveChannels = 32, kShortestWaveKernel = 3, kFewestSaved = 32, kFewestWaveFrames = 96;
// Of plain weights: the plain convolution copies them all, so that fewer frames will do.
constexpr int64_t kManyWeightFloats = 8 << 20, kFewestFramesOfMany = 16;

// The points, and for each pair of them what the other two give: the sum and the product of their squares.
constexpr float kPoint[3] = {9.0F / 32, 27.0F / 32, 57.0F / 32};
constexpr float kSquare[3] = {kPoint[0] * kPoint[0], kPoint[1] * kPoint[1], kPoint[2] * kPoint[2]};
constexpr float kOthersSum[3] = {kSquare[1] + kSquare[2], kSquare[0] + kSquare[2], kSquare[0] + kSquare[1]};
constexpr float kOthersProduct[3] = {kSquare[1] * kSquare[2], kSquare[0] * kSquare[2], kSquare[0] * kSquare[1]};
constexpr float OverOthers(int i) {
  return 1 / (2 * kPoint[i] * (kSquare[i] * kSquare[i] - kOthersSum[i] * kSquare[i] + kOthersProduct[i]));
}
constexpr float kOverOthers[3] = {OverOthers(0), OverOthers(1), OverOthers(2)};

GRYM_INLINE const EightLanes& WaveLanes(const float* from) { return *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE EightLanes& WaveLanes(float* from) { return *reinterpret_cast<EightLanes*>(from); }
#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
GRYM_INLINE void LeakLanes(float slope, EightLanes& x) { x = x > EightLanes{} ? x : slope * x; }
#else
GRYM_INLINE void LeakLanes(float slope, EightLanes& x) {
  for (int i = 0; i < kLanes; ++i) x.v[i] = x.v[i] > 0 ? x.v[i] : slope * x.v[i];
}
#endif

// B' d of seven numbers -> one number in each of the 7 matrices.
GRYM_INLINE void TransformWave(const EightLanes* d, float* to, int64_t matrix) {
  for (int i = 0; i < 3; ++i) {
    const EightLanes even = kPoint[i] * (d[4] - kOthersSum[i] * d[2] + kOthersProduct[i] * d[0]);
    const EightLanes odd = d[5] - kOthersSum[i] * d[3] + kOthersProduct[i] * d[1];
    WaveLanes(to + 2 * i * matrix) = odd + even;
    WaveLanes(to + (2 * i + 1) * matrix) = odd - even;
  }
  constexpr float kSum = kSquare[0] + kOthersSum[0], kProduct = kSquare[0] * kOthersProduct[0];
  constexpr float kPairs = kSquare[0] * kOthersSum[0] + kOthersProduct[0];
  WaveLanes(to + 6 * matrix) = d[6] - kSum * d[4] + kPairs * d[2] - kProduct * d[0];
}

// A tile's 7 frames, rows of `channels` numbers -> one row of each of the 7 matrices.
GRYM_HOT void WaveToMatrices(const float* const* places, float slope, int64_t channels, float* to, int64_t matrix) {
  EightLanes d[kWavePoints];
  if (slope == 1) {
    for (int64_t c = 0; c < channels; c += kWaveStep) {
      for (int i = 0; i < kWavePoints; ++i) d[i] = WaveLanes(places[i] + c);
      TransformWave(d, to + c, matrix);
    }
    return;
  }
  for (int64_t c = 0; c < channels; c += kWaveStep) {
    for (int i = 0; i < kWavePoints; ++i) {
      d[i] = WaveLanes(places[i] + c);
      LeakLanes(slope, d[i]);
    }
    TransformWave(d, to + c, matrix);
  }
}

// G g of up to four taps [taps, in] of one channel of the result, for eight channels of the input.
GRYM_INLINE void TransformTaps(const float* taps, int64_t count, int64_t in, EightLanes* to) {
  EightLanes g[kWaveTaps] = {};
  for (int64_t i = 0; i < count; ++i) g[i] = WaveLanes(taps + i * in);
  for (int i = 0; i < 3; ++i) {
    const EightLanes even = kOverOthers[i] * (g[0] + kSquare[i] * g[2]);
    const EightLanes odd = (kOverOthers[i] * kPoint[i]) * (g[1] + kSquare[i] * g[3]);
    to[2 * i] = odd + even;
    to[2 * i + 1] = odd - even;
  }
  to[6] = g[3];
}

struct TapPlaces {
  int64_t kernel, in;       // of the weights [.., kernel, in]
  int64_t count;            // of taps
  int64_t channels, panel;  // of the result: given, and as wide as a row is, the rest zeros
};

// Taps of eight channels of the input -> eight rows of a panel in each of the 7 matrices.
GRYM_HOT void TapsToMatrices(const float* from, const TapPlaces& at, float* to, int64_t matrix) {
  float made[kWavePoints][kWavePanel * kWaveStep];
  for (int64_t o = 0; o < at.channels; ++o) {
    EightLanes points[kWavePoints];
    TransformTaps(from + o * at.kernel * at.in, at.count, at.in, points);
    for (int i = 0; i < kWavePoints; ++i) WaveLanes(made[i] + o * kWaveStep) = points[i];
  }
  for (int i = 0; i < kWavePoints; ++i) {
    for (int64_t c = 0; c < kWaveStep; ++c) {
      float* const row = to + i * matrix + c * at.panel;
      for (int64_t o = 0; o < at.channels; ++o) row[o] = made[i][o * kWaveStep + c];
      for (int64_t o = at.channels; o < at.panel; ++o) row[o] = 0;
    }
  }
}

// One row of each of the 7 products -> the 4 results of a tile, at `places`; null for those behind the wave's end.
GRYM_HOT void WaveFromMatrices(const float* from, int64_t matrix, int64_t channels, const float* bias,
                               const WaveTilingSteps& steps, float* const* places) {
  const bool add = steps.add;
  const float slope = steps.slope_after;
  for (int64_t c = 0; c < channels; c += kWaveStep) {
    EightLanes sum[3], odd[3];
    for (int i = 0; i < 3; ++i) {
      const EightLanes plus = WaveLanes(from + 2 * i * matrix + c);
      const EightLanes minus = WaveLanes(from + (2 * i + 1) * matrix + c);
      sum[i] = plus + minus;
      odd[i] = kPoint[i] * (plus - minus);
    }
    const EightLanes shift = WaveLanes(bias + c);
    EightLanes results[kWaveResults];
    results[0] = sum[0] + sum[1] + sum[2] + shift;
    results[1] = odd[0] + odd[1] + odd[2] + shift;
    results[2] = kSquare[0] * sum[0] + kSquare[1] * sum[1] + kSquare[2] * sum[2] + shift;
    results[3] = kSquare[0] * odd[0] + kSquare[1] * odd[1] + kSquare[2] * odd[2] + WaveLanes(from + 6 * matrix + c);
    results[3] = results[3] + shift;
    for (int i = 0; i < kWaveResults; ++i) {
      if (places[i] == nullptr) continue;
      EightLanes& at = WaveLanes(places[i] + c);
      if (add) {
        at = at + results[i];
      } else {
        LeakLanes(slope, results[i]);
        at = results[i];
      }
    }
  }
}

int64_t CeilingOf(int64_t value, int64_t step) { return (value + step - 1) / step; }

// The frames of one phase, each `dilation` apart, are tiled by themselves; blocks of their tiles are worked on in the
// order of time, so that the phases, which lie in the same cache lines or near, follow each other.
struct WaveGrid {
  WaveTiling layer;
  int64_t frames, results, pieces, tiles, block, blocks;
  int64_t panel, panels, group;  // channels of a panel, panels in all and at once
  WaveGrid(const WaveTiling& tiling, int64_t wave_frames) : layer(tiling), frames(wave_frames) {
    results = tiling.FramesAfter(frames);
    pieces = CeilingOf(tiling.kernel, kWaveTaps);
    tiles = CeilingOf(CeilingOf(results, tiling.dilation), kWaveResults);
    const int64_t most = std::clamp(kWaveTileFloats / tiling.in, kFewestWaveRows, kMostWaveRows);
    block = CeilingOf(CeilingOf(tiles, CeilingOf(tiles, most)), kWaveRowStep) * kWaveRowStep;
    blocks = CeilingOf(tiles, block);
    panels = CeilingOf(tiling.out, kWavePanel);
    panel = CeilingOf(tiling.out, panels * kWaveStep) * kWaveStep;
    panels = CeilingOf(tiling.out, panel);
    const int64_t fit = std::max<int64_t>(1, kMostWeightFloats / (kWavePoints * panel_floats()));
    group = CeilingOf(panels, CeilingOf(panels, fit));
  }
  int64_t tile_matrix() const { return (block + pieces - 1) * layer.in + kWaveGap; }
  int64_t product_matrix() const { return block * panel + kWaveGap; }
  int64_t panel_floats() const { return pieces * layer.in * panel; }  // of one point's weights
  int64_t weight_matrix() const { return group * panel_floats(); }
  int64_t floats_a_thread() const { return kWavePoints * (tile_matrix() + product_matrix()); }
};

// Of panels [begin, end).
void TransformWeights(const WaveGrid& grid, int64_t begin, int64_t end, const float* weight, float* to) {
  const WaveTiling& layer = grid.layer;
  const int64_t steps = layer.in / kWaveStep;
  at::parallel_for(0, (end - begin) * steps, 1, [&](int64_t from_item, int64_t to_item) {
    for (int64_t item = from_item; item < to_item; ++item) {
      const int64_t panel = item / steps, channel = item % steps * kWaveStep, first = (begin + panel) * grid.panel;
      for (int64_t piece = 0; piece < grid.pieces; ++piece) {
        const int64_t tap = piece * kWaveTaps;
        const TapPlaces at{layer.kernel, layer.in, std::min(kWaveTaps, layer.kernel - tap),
                           std::min(grid.panel, layer.out - first), grid.panel};
        TapsToMatrices(weight + (first * layer.kernel + tap) * layer.in + channel, at,
                       to + panel * grid.panel_floats() + (piece * layer.in + channel) * grid.panel,
                       grid.weight_matrix());
      }
    }
  });
}

// What one thread works in: the tiles of a block, and their products with one panel of the weights.
class WaveWorker {
 public:
  WaveWorker(const WaveGrid& grid, const WaveTilingSteps& steps, const float* zeros, float* scratch)
      : grid_(grid), steps_(steps), zeros_(zeros), tiles_(scratch),
        products_(scratch + kWavePoints * grid.tile_matrix()) {}

  // With `weights` of panels [begin, end).
  void Run(int64_t item, int64_t begin, int64_t end, const float* wave, const float* weights, const float* bias,
           float* out) {
    phase_ = item % grid_.layer.dilation;
    first_ = item / grid_.layer.dilation * grid_.block;
    rows_ = std::min(grid_.block, CeilingOf(grid_.tiles - first_, kWaveRowStep) * kWaveRowStep);
    ReadTiles(wave);
    for (int64_t panel = begin; panel < end; ++panel) {
      Multiply(weights + (panel - begin) * grid_.panel_floats());
      Finish(panel * grid_.panel, bias, out);
    }
  }

 private:
  int64_t FrameOf(int64_t row, int64_t place) const {
    return phase_ + grid_.layer.dilation * ((first_ + row) * kWaveResults + place);
  }

  void ReadTiles(const float* wave) const {
    std::array<const float*, kWavePoints> places;
    for (int64_t row = 0; row < rows_ + grid_.pieces - 1; ++row) {
      for (int64_t i = 0; i < kWavePoints; ++i) {
        const int64_t frame = FrameOf(row, i) - grid_.layer.padding;
        const bool inside = frame >= 0 && frame < grid_.frames;
        places[static_cast<size_t>(i)] = inside ? wave + frame * grid_.layer.in : zeros_;
      }
      WaveToMatrices(places.data(), steps_.slope_before, grid_.layer.in, tiles_ + row * grid_.layer.in,
                     grid_.tile_matrix());
    }
  }

  // One product over all the pieces, whose rows overlap, is no faster from 64 channels on, and no BLAS takes such rows.
  void Multiply(const float* weights) const {
    const int64_t in = grid_.layer.in;
    for (int64_t i = 0; i < kWavePoints; ++i) {
      for (int64_t piece = 0; piece < grid_.pieces; ++piece) {
        MultiplyTile(rows_, in, grid_.panel, {tiles_ + i * grid_.tile_matrix() + piece * in, in},
                     {weights + i * grid_.weight_matrix() + piece * in * grid_.panel, grid_.panel}, piece > 0,
                     products_ + i * grid_.product_matrix(), grid_.panel);
      }
    }
  }

  void Finish(int64_t channel, const float* bias, float* out) const {
    std::array<float*, kWaveResults> places;
    const int64_t channels = std::min(grid_.panel, grid_.layer.out - channel);
    for (int64_t row = 0; row < std::min(rows_, grid_.tiles - first_); ++row) {
      for (int64_t i = 0; i < kWaveResults; ++i) {
        const int64_t frame = FrameOf(row, i);
        places[static_cast<size_t>(i)] = frame < grid_.results ? out + frame * grid_.layer.out + channel : nullptr;
      }
      WaveFromMatrices(products_ + row * grid_.panel, grid_.product_matrix(), channels, bias + channel, steps_,
                       places.data());
    }
  }

  const WaveGrid& grid_;
  const WaveTilingSteps& steps_;
  const float* const zeros_;
  float *const tiles_, *const products_;  // [7, block + pieces - 1, in], [7, block, panel]
  int64_t phase_ = 0, first_ = 0, rows_ = 0;
};

}  // namespace

bool WantsWaveTiles(const WaveTiling& tiling, int64_t frames) {
  const int64_t in = tiling.in, out = tiling.out, pieces = CeilingOf(tiling.kernel, kWaveTaps);
  const int64_t saved = (kWaveResults * tiling.kernel - kWavePoints * pieces) * in * out;
  const int64_t fewest = in * out * tiling.kernel >= kManyWeightFloats ? kFewestFramesOfMany : kFewestWaveFrames;
  return HasTileProducts() && in % kWaveStep == 0 && out % kWaveStep == 0 &&
         std::min(in, out) >= kFewestWaveChannels && tiling.kernel >= kShortestWaveKernel &&
         saved >= kFewestSaved * kWaveResults * (in + out) && tiling.FramesAfter(frames) >= fewest * tiling.dilation;
}

void ConvolveByWaveTiles(const at::Tensor& wave, const at::Tensor& weight, const at::Tensor& bias,
                         const WaveTiling& tiling, const WaveTilingSteps& steps, at::Tensor& out) {
  const WaveGrid grid(tiling, wave.size(0));
  const at::Tensor transformed = at::empty({kWavePoints, grid.weight_matrix()}, wave.options());
  const at::Tensor scratch = at::empty({at::get_num_threads(), grid.floats_a_thread()}, wave.options());
  const at::Tensor zeros = at::zeros({std::max(tiling.in, tiling.out)}, wave.options());
  const float* const none = zeros.const_data_ptr<float>();
  const float* const shift = bias.defined() ? bias.const_data_ptr<float>() : none;
  const float* const from = wave.const_data_ptr<float>();
  float* const weights = transformed.mutable_data_ptr<float>();
  float* const each = scratch.mutable_data_ptr<float>();
  float* const to = out.mutable_data_ptr<float>();
  for (int64_t panel = 0; panel < grid.panels; panel += grid.group) {
    const int64_t behind = std::min(panel + grid.group, grid.panels);
    TransformWeights(grid, panel, behind, weight.const_data_ptr<float>(), weights);
    at::parallel_for(0, grid.blocks * tiling.dilation, 1, [&](int64_t begin, int64_t end) {
      WaveWorker worker(grid, steps, none, each + at::get_thread_num() * grid.floats_a_thread());
      for (int64_t item = begin; item < end; ++item) worker.Run(item, panel, behind, from, weights, shift, to);
    });
  }
}

int64_t WaveTilesScratchBytes(const WaveTiling& tiling, int64_t frames) {
  const WaveGrid grid(tiling, frames);
  return AllocatedBytes(kWavePoints * grid.weight_matrix() * 4) +
         AllocatedBytes(at::get_num_threads() * grid.floats_a_thread() * 4) +
         AllocatedBytes(std::max(tiling.in, tiling.out) * 4);
}

}  // namespace grym
