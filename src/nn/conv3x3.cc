#include "nn/conv3x3.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dsp/dispatch.h"
#include "nn/bfloat_conv.h"
#include "nn/tile_product.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kTileProducts = 16;
// Tiles at once: their transforms, 16 numbers each for every channel in and out, shall stay in the second cache.
constexpr int64_t kTilesAtOnce = 256;
constexpr int64_t kTileStep = 32;  // products of few sizes (nn/tile_product.h)
constexpr int64_t kChannelsAtOnce = 64;
int64_t TilesAtOnce(int64_t tiles) { return (std::min(tiles, kTilesAtOnce) + kTileStep - 1) / kTileStep * kTileStep; }
// Above so many positions LibTorch's direct convolution is left to do it.
constexpr int64_t kMostGatheredPositions = 64;

struct TileGrid {
  int64_t height, width, rows_of_tiles, tiles_in_row;
  TileGrid(int64_t image_height, int64_t image_width)
      : height(image_height), width(image_width), rows_of_tiles((height + 1) / 2), tiles_in_row((width + 1) / 2) {}
  int64_t in_image() const { return rows_of_tiles * tiles_in_row; }
};

// d -> (d0 - d2, d1 + d2, d2 - d1, d1 - d3) for `count` channels: the columns of B' d, then its rows.
GRYM_HOT void TileIn(const float* GRYM_RESTRICT d0, const float* GRYM_RESTRICT d1, const float* GRYM_RESTRICT d2,
                     const float* GRYM_RESTRICT d3, float* GRYM_RESTRICT o0, float* GRYM_RESTRICT o1,
                     float* GRYM_RESTRICT o2, float* GRYM_RESTRICT o3, int64_t count) {
  for (int64_t c = 0; c < count; ++c) {
    const float a = d0[c], b = d1[c], e = d2[c], f = d3[c];
    o0[c] = a - e;
    o1[c] = b + e;
    o2[c] = e - b;
    o3[c] = b - f;
  }
}

// m -> (m0 + m1 + m2, m1 - m2 - m3).
GRYM_HOT void TileOut(const float* GRYM_RESTRICT m0, const float* GRYM_RESTRICT m1, const float* GRYM_RESTRICT m2,
                      const float* GRYM_RESTRICT m3, float* GRYM_RESTRICT o0, float* GRYM_RESTRICT o1, int64_t count) {
  for (int64_t c = 0; c < count; ++c) {
    const float b = m1[c], e = m2[c];
    o0[c] = m0[c] + b + e;
    o1[c] = b - e - m3[c];
  }
}

GRYM_HOT void AddBias(float* GRYM_RESTRICT out, const float* GRYM_RESTRICT sum, const float* GRYM_RESTRICT bias,
                      int64_t count) {
  for (int64_t c = 0; c < count; ++c) out[c] = sum[c] + bias[c];
}

// Tile `tile` of x [rows, height, width, channels] as row `place` of each of the 16 matrices [places, channels].
void TransformTile(const float* x, const TileGrid& grid, int64_t channels, int64_t tile, float* matrices,
                   int64_t places, int64_t place) {
  alignas(64) static constexpr float kZeros[kChannelsAtOnce] = {};
  alignas(64) float columns[16][kChannelsAtOnce];
  const int64_t row = tile / grid.in_image(), in_image = tile % grid.in_image();
  const int64_t top = in_image / grid.tiles_in_row * 2 - 1, left = in_image % grid.tiles_in_row * 2 - 1;
  for (int64_t from = 0; from < channels; from += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - from);
    for (int64_t i = 0; i < 4; ++i) {
      std::array<const float*, 4> line;
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t y = top + i, at = left + j;
        const bool inside = y >= 0 && y < grid.height && at >= 0 && at < grid.width;
        line[static_cast<size_t>(j)] =
            inside ? x + ((row * grid.height + y) * grid.width + at) * channels + from : kZeros;
      }
      TileIn(line[0], line[1], line[2], line[3], columns[i * 4], columns[i * 4 + 1], columns[i * 4 + 2],
             columns[i * 4 + 3], count);
    }
    for (int64_t j = 0; j < 4; ++j) {
      const auto to = [&](int64_t i) { return matrices + ((i * 4 + j) * places + place) * channels + from; };
      TileIn(columns[j], columns[4 + j], columns[8 + j], columns[12 + j], to(0), to(1), to(2), to(3), count);
    }
  }
}

// The way back: row `place` of the 16 products to the 2 x 2 results of tile `tile`.
void FinishTile(const float* matrices, int64_t places, int64_t place, const float* bias, const TileGrid& grid,
                int64_t channels, int64_t tile, float* out) {
  alignas(64) float columns[8][kChannelsAtOnce], results[4][kChannelsAtOnce];
  const int64_t row = tile / grid.in_image(), in_image = tile % grid.in_image();
  const int64_t top = in_image / grid.tiles_in_row * 2, left = in_image % grid.tiles_in_row * 2;
  for (int64_t from = 0; from < channels; from += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - from);
    for (int64_t j = 0; j < 4; ++j) {
      const auto at = [&](int64_t i) { return matrices + ((i * 4 + j) * places + place) * channels + from; };
      TileOut(at(0), at(1), at(2), at(3), columns[j], columns[4 + j], count);
    }
    for (int64_t i = 0; i < 2; ++i) {
      TileOut(columns[i * 4], columns[i * 4 + 1], columns[i * 4 + 2], columns[i * 4 + 3], results[i * 2],
              results[i * 2 + 1], count);
      for (int64_t j = 0; j < 2; ++j) {
        if (top + i >= grid.height || left + j >= grid.width) continue;
        AddBias(out + ((row * grid.height + top + i) * grid.width + left + j) * channels + from, results[i * 2 + j],
                bias + from, count);
      }
    }
  }
}

// inputs [16, tiles, in] times weights [16, in, out]. By panels of the results, four registers of the widest kernels, so
// that a panel's weights stay in the second cache.
void MultiplyTiles(const at::Tensor& inputs, const at::Tensor& weights, at::Tensor& products) {
  if (!HasTileProducts()) {
    at::bmm_out(products, inputs, weights);
    return;
  }
  constexpr int64_t kPanel = 64;
  const int64_t tiles = inputs.size(1), in = inputs.size(2), out = weights.size(2), panels = (out + kPanel - 1) / kPanel;
  const float* const from = inputs.const_data_ptr<float>();
  const float* const by = weights.const_data_ptr<float>();
  float* const to = products.mutable_data_ptr<float>();
  at::parallel_for(0, kTileProducts * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t i = item / panels, first = item % panels * kPanel;
      MultiplyTile(tiles, in, std::min(kPanel, out - first), {from + i * tiles * in, in},
                   {by + i * in * out + first, out}, /*add=*/false, to + i * tiles * out + first, out);
    }
  });
}

at::Tensor TiledConvolution(const Conv3x3& conv, const at::Tensor& x) {
  const int64_t in = x.size(1), out = conv.tiled.size(2);
  const TileGrid grid(x.size(2), x.size(3));
  const int64_t tiles = x.size(0) * grid.in_image(), most = TilesAtOnce(tiles);
  const at::Tensor image = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor result = at::empty({x.size(0), out, x.size(2), x.size(3)},
                                x.options().memory_format(at::MemoryFormat::ChannelsLast));
  at::Tensor inputs = at::empty({kTileProducts, most, in}, x.options());
  at::Tensor products = at::empty({kTileProducts, most, out}, x.options());
  const float* from = image.const_data_ptr<float>();
  const float* bias = conv.plain.bias.const_data_ptr<float>();
  float* to = result.mutable_data_ptr<float>();
  for (int64_t first = 0; first < tiles; first += most) {
    const int64_t count = std::min(most, tiles - first), places = TilesAtOnce(count);
    if (places < most) {  // the last ones: matrices of another height in the same memory
      inputs = inputs.flatten().narrow(0, 0, kTileProducts * places * in).view({kTileProducts, places, in});
      products = products.flatten().narrow(0, 0, kTileProducts * places * out).view({kTileProducts, places, out});
    }
    if (count < places) inputs.narrow(1, count, places - count).zero_();
    float* in_matrices = inputs.mutable_data_ptr<float>();
    at::parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) TransformTile(from, grid, in, first + i, in_matrices, places, i);
    });
    MultiplyTiles(inputs, conv.tiled, products);
    const float* out_matrices = products.const_data_ptr<float>();
    at::parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) FinishTile(out_matrices, places, i, bias, grid, out, first + i, to);
    });
  }
  return result;
}

// The nine neighbours of each position side by side: [positions, 9 * channels], in the order of the weights' memory.
at::Tensor Neighbourhoods(const at::Tensor& image) {
  const int64_t rows = image.size(0), channels = image.size(1), height = image.size(2), width = image.size(3);
  at::Tensor gathered = at::empty({rows * height * width, 9 * channels}, image.options());
  const float* from = image.const_data_ptr<float>();
  float* to = gathered.mutable_data_ptr<float>();
  at::parallel_for(0, rows * height * width, 16, [&](int64_t begin, int64_t end) {
    for (int64_t position = begin; position < end; ++position) {
      const int64_t row = position / (height * width), y = position / width % height, at = position % width;
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int64_t from_y = y + tap / 3 - 1, from_at = at + tap % 3 - 1;
        float* place = to + (position * 9 + tap) * channels;
        if (from_y < 0 || from_y >= height || from_at < 0 || from_at >= width) {
          std::fill_n(place, channels, 0.0F);
        } else {
          std::copy_n(from + ((row * height + from_y) * width + from_at) * channels, channels, place);
        }
      }
    }
  });
  return gathered;
}

bool CanGather(const Conv2d& conv, const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && !UsesBFloatProducts(conv.precision, x.device()) &&
         x.size(0) * x.size(2) * x.size(3) <= kMostGatheredPositions &&
         conv.weight.is_contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor GatheredConvolution(const Conv2d& conv, const at::Tensor& x) {
  const int64_t out = conv.weight.size(0), in = conv.weight.size(1);
  const at::Tensor matrix = conv.weight.to(at::kFloat).permute({0, 2, 3, 1}).reshape({out, 9 * in});
  const at::Tensor rows = Neighbourhoods(x.contiguous(at::MemoryFormat::ChannelsLast));
  return at::linear(rows, matrix, conv.bias).view({x.size(0), x.size(2), x.size(3), out}).permute({0, 3, 1, 2});
}

// G g G' of each pair of channels, into [16, in, out]: of the kernels [rows, in, 3, 3] of outputs from `first` on.
void TileWeights(const at::Tensor& kernels, int64_t first, at::Tensor& tiled) {
  const int64_t rows = kernels.size(0), in = tiled.size(1), out = tiled.size(2);
  float* to = tiled.mutable_data_ptr<float>();
  const float* from = kernels.const_data_ptr<float>();
  at::parallel_for(0, in, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t row = 0; row < rows; ++row) {
        const float* g = from + (row * in + i) * 9;
        float half[4][3];
        for (int64_t k = 0; k < 3; ++k) {
          half[0][k] = g[k];
          half[1][k] = 0.5F * (g[k] + g[3 + k] + g[6 + k]);
          half[2][k] = 0.5F * (g[k] - g[3 + k] + g[6 + k]);
          half[3][k] = g[6 + k];
        }
        for (int64_t k = 0; k < 4; ++k) {
          const float* h = half[k];
          const float whole[4] = {h[0], 0.5F * (h[0] + h[1] + h[2]), 0.5F * (h[0] - h[1] + h[2]), h[2]};
          for (int64_t j = 0; j < 4; ++j) to[((k * 4 + j) * in + i) * out + first + row] = whole[j];
        }
      }
    }
  });
}

}  // namespace

at::Tensor Conv3x3::operator()(const at::Tensor& x) const {
  if (tiled.defined()) return TiledConvolution(*this, x);
  if (CanGather(plain, x)) return GatheredConvolution(plain, x);
  return plain(x);
}

bool CanTile(const WeightOptions& options) {
  return options.precision == Precision::kFloat32 && options.device.is_cpu();
}

Conv3x3 ReadConv3x3(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool want_tiled) {
  Conv3x3 conv;
  if (!want_tiled || !CanTile(weights.options())) {
    conv.plain = ReadConv2d(weights, layer, in, out, 3, 1, 1);
    return conv;
  }
  at::Tensor tiled = at::empty({kTileProducts, in, out}, at::TensorOptions().dtype(at::kFloat));
  bool read = false;
  weights.ByRows(layer + ".weight", {out, in, 3, 3}, [&](int64_t first, const at::Tensor& kernels) {
    TileWeights(kernels, first, tiled);
    read = true;
  });
  if (read) conv.tiled = std::move(tiled);
  conv.plain.bias = weights.Vector(layer + ".bias", {out});
  return conv;
}

int64_t Conv3x3WorkingBytes(int64_t in, int64_t out, bool tiled, int64_t rows, int64_t height, int64_t width) {
  const int64_t positions = rows * height * width;
  const auto floats = [](int64_t count) { return AllocatedBytes(count * 4); };
  if (tiled) {
    const int64_t tiles = TilesAtOnce(rows * TileGrid(height, width).in_image());
    return floats(positions * out) + floats(kTileProducts * tiles * in) + floats(kTileProducts * tiles * out);
  }
  const bool gathered = positions <= kMostGatheredPositions;
  return floats(positions * out) + (gathered ? floats(positions * 9 * in) : 0);
}

}  // namespace grym
