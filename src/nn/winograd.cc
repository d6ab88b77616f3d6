#include "nn/winograd.h"

#include <algorithm>
#include <array>
#include <vector>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int kStep = grym::kLanes;  // channels at once
constexpr int64_t kResultSide = 4, kTileSide = 6, kPoints = kTileSide * kTileSide;
// Tiles and channels of the result at once: products large enough for the matrix kernels, matrices small enough for the
// third cache, and pieces enough for the threads where the image is small.
constexpr int64_t kMostTiles = 128, kMostChannels = 128;
constexpr int64_t kFewestTiles = 16, kFewestChannels = 32;
// Between the matrices of two points, so that the 36 that one tile goes to do not meet in one set of the cache.
constexpr int64_t kMatrixGap = 16;

// The points and what follows from them: their squares, the squares' product and sum, cubes.
constexpr float kNear = 0.75F, kFar = 1.5F, kNear2 = kNear * kNear, kFar2 = kFar * kFar;
constexpr float kNear3 = kNear2 * kNear, kFar3 = kFar2 * kFar, kProduct = kNear2 * kFar2, kSum = kNear2 + kFar2;
constexpr float kOverProduct = 1 / kProduct;
constexpr float kOverNear = 1 / (2 * kNear2 * (kNear2 - kFar2)), kOverFar = 1 / (2 * kFar2 * (kFar2 - kNear2));

GRYM_INLINE const EightLanes& LanesAt(const float* from) { return *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE EightLanes& LanesAt(float* from) { return *reinterpret_cast<EightLanes*>(from); }

// B' d of six numbers that lie `step` apart.
GRYM_INLINE void TransformIn(const EightLanes* d, int step, EightLanes* to) {
  const EightLanes d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
  const EightLanes even_near = d4 - kFar2 * d2, odd_near = kNear * (d3 - kFar2 * d1);
  const EightLanes even_far = d4 - kNear2 * d2, odd_far = kFar * (d3 - kNear2 * d1);
  to[0] = d4 - kSum * d2 + kProduct * d[0];
  to[1] = even_near + odd_near;
  to[2] = even_near - odd_near;
  to[3] = even_far + odd_far;
  to[4] = even_far - odd_far;
  to[5] = d[5 * step] - kSum * d3 + kProduct * d1;
}

// G g of three numbers.
GRYM_INLINE void TransformWeight(const EightLanes* g, int step, EightLanes* to) {
  const EightLanes near = g[0] + kNear2 * g[2 * step], far = g[0] + kFar2 * g[2 * step];
  const EightLanes by_near = kNear * g[step], by_far = kFar * g[step];
  to[0] = kOverProduct * g[0];
  to[1] = kOverNear * (near + by_near);
  to[2] = kOverNear * (near - by_near);
  to[3] = kOverFar * (far + by_far);
  to[4] = kOverFar * (far - by_far);
  to[5] = g[2 * step];
}

// A' m of six products.
GRYM_INLINE void TransformOut(const EightLanes* m, int step, EightLanes* to) {
  const EightLanes near = m[step] + m[2 * step], near_odd = m[step] - m[2 * step];
  const EightLanes far = m[3 * step] + m[4 * step], far_odd = m[3 * step] - m[4 * step];
  to[0] = m[0] + near + far;
  to[1] = kNear * near_odd + kFar * far_odd;
  to[2] = kNear2 * near + kFar2 * far;
  to[3] = kNear3 * near_odd + kFar3 * far_odd + m[5 * step];
}

// `places` of a tile's 36 positions, rows of `channels` numbers -> one row of each of the 36 matrices.
GRYM_HOT void TileToMatrices(const float* const* places, int64_t channels, float* to, int64_t matrix) {
  for (int64_t c = 0; c < channels; c += kStep) {
    EightLanes tile[kPoints], half[kPoints], row[kTileSide];
    for (int i = 0; i < kPoints; ++i) tile[i] = LanesAt(places[i] + c);
    for (int j = 0; j < kTileSide; ++j) {
      TransformIn(tile + j, kTileSide, row);
      for (int i = 0; i < kTileSide; ++i) half[i * kTileSide + j] = row[i];
    }
    for (int i = 0; i < kTileSide; ++i) {
      TransformIn(half + i * kTileSide, 1, row);
      for (int j = 0; j < kTileSide; ++j) LanesAt(to + (i * kTileSide + j) * matrix + c) = row[j];
    }
  }
}

// Nine rows of weights, [3][3][channels] -> one row of each of the 36 matrices.
GRYM_HOT void WeightsToMatrices(const float* from, int64_t channels, float* to, int64_t matrix) {
  for (int64_t c = 0; c < channels; c += kStep) {
    EightLanes taps[9], half[3 * kTileSide], row[kTileSide];
    for (int i = 0; i < 9; ++i) taps[i] = LanesAt(from + i * channels + c);
    for (int j = 0; j < 3; ++j) {
      TransformWeight(taps + j, 3, row);
      for (int i = 0; i < kTileSide; ++i) half[i * 3 + j] = row[i];
    }
    for (int i = 0; i < kTileSide; ++i) {
      TransformWeight(half + i * 3, 1, row);
      for (int j = 0; j < kTileSide; ++j) LanesAt(to + (i * kTileSide + j) * matrix + c) = row[j];
    }
  }
}

// One row of each of the 36 products -> the 16 results of a tile, at `places`; null for those beyond the image's edge.
GRYM_HOT void TileFromMatrices(const float* from, int64_t matrix, int64_t channels, const float* bias, bool add,
                               float* const* places) {
  for (int64_t c = 0; c < channels; c += kStep) {
    EightLanes tile[kPoints], half[kResultSide * kTileSide], row[kResultSide];
    for (int i = 0; i < kPoints; ++i) tile[i] = LanesAt(from + i * matrix + c);
    for (int j = 0; j < kTileSide; ++j) {
      TransformOut(tile + j, kTileSide, row);
      for (int i = 0; i < kResultSide; ++i) half[i * kTileSide + j] = row[i];
    }
    const EightLanes shift = LanesAt(bias + c);
    for (int i = 0; i < kResultSide; ++i) {
      TransformOut(half + i * kTileSide, 1, row);
      for (int j = 0; j < kResultSide; ++j) {
        float* const place = places[i * kResultSide + j];
        if (place == nullptr) continue;
        const EightLanes result = row[j] + shift;
        EightLanes& at = LanesAt(place + c);
        at = add ? at + result : result;
      }
    }
  }
}

struct FourGrid {
  int64_t rows, height, width, in_row, in_image, tiles, blocks, block, in, out, chunks, chunk;
  FourGrid(int64_t image_rows, int64_t image_height, int64_t image_width, int64_t channels_in, int64_t channels_out)
      : rows(image_rows), height(image_height), width(image_width), in(channels_in), out(channels_out) {
    in_row = (width + kResultSide - 1) / kResultSide;
    in_image = in_row * ((height + kResultSide - 1) / kResultSide);
    tiles = rows * in_image;
    blocks = (tiles + kMostTiles - 1) / kMostTiles;
    block = ((tiles + blocks - 1) / blocks) | 1;  // odd, as kMatrixGap is there: the products have no gaps
    blocks = (tiles + block - 1) / block;
    chunks = (out + kMostChannels - 1) / kMostChannels;
    chunk = (out / kStep + chunks - 1) / chunks * kStep;
    chunks = (out + chunk - 1) / chunk;
  }
  int64_t image_matrix() const { return block * in + kMatrixGap; }
  int64_t weight_matrix() const { return chunk * in + kMatrixGap; }
  int64_t floats_a_thread() const { return kPoints * (image_matrix() + weight_matrix() + block * chunk); }
};

// What one thread works in: the tiles of a block, the weights of a chunk, and their products.
class FourWorker {
 public:
  FourWorker(const FourGrid& grid, const at::Tensor& scratch, const float* image, const float* weight,
             const float* bias, bool add, float* out)
      : grid_(grid), image_(image), weight_(weight), bias_(bias), add_(add), out_(out) {
    auto part = [&, from = int64_t{0}](int64_t rows, int64_t columns, int64_t matrix) mutable {
      const at::Tensor made = scratch.narrow(0, from, kPoints * matrix)
                                  .as_strided({kPoints, rows, columns}, {matrix, columns, 1},
                                              scratch.storage_offset() + from);
      from += kPoints * matrix;
      return made;
    };
    tiles_ = part(grid.block, grid.in, grid.image_matrix());
    weights_ = part(grid.chunk, grid.in, grid.weight_matrix());
    products_ = part(grid.block, grid.chunk, grid.block * grid.chunk);
  }

  void Run(int64_t item) {
    const int64_t block = item / grid_.chunks, chunk = item % grid_.chunks;
    if (block != block_) ReadTiles(block_ = block);
    if (chunk != chunk_) ReadWeights(chunk_ = chunk);
    at::bmm_out(products_, tiles_, weights_.transpose(1, 2));
    Finish();
  }

 private:
  struct Corner {
    int64_t row, top, left;
  };
  Corner CornerOf(int64_t tile) const {
    const int64_t in_image = tile % grid_.in_image;
    return {tile / grid_.in_image, in_image / grid_.in_row * kResultSide, in_image % grid_.in_row * kResultSide};
  }
  int64_t PlaceOf(int64_t row, int64_t y, int64_t x) const { return (row * grid_.height + y) * grid_.width + x; }

  void ReadTiles(int64_t block) {
    float* const to = tiles_.mutable_data_ptr<float>();
    zeros_.resize(static_cast<size_t>(grid_.in), 0.0F);
    std::array<const float*, kPoints> places;
    for (int64_t i = 0; i < grid_.block; ++i) {
      const int64_t tile = block * grid_.block + i;
      const Corner corner = CornerOf(tile);
      for (int64_t j = 0; j < kPoints; ++j) {
        const int64_t y = corner.top + j / kTileSide - 1, x = corner.left + j % kTileSide - 1;
        const bool inside = tile < grid_.tiles && y >= 0 && y < grid_.height && x >= 0 && x < grid_.width;
        places[static_cast<size_t>(j)] = inside ? image_ + PlaceOf(corner.row, y, x) * grid_.in : zeros_.data();
      }
      TileToMatrices(places.data(), grid_.in, to + i * grid_.in, grid_.image_matrix());
    }
  }

  void ReadWeights(int64_t chunk) {
    float* const to = weights_.mutable_data_ptr<float>();
    for (int64_t i = 0; i < grid_.chunk; ++i) {
      // Behind the last channel the last one again: its products are not looked at.
      const int64_t from = std::min(chunk * grid_.chunk + i, grid_.out - 1);
      WeightsToMatrices(weight_ + from * 9 * grid_.in, grid_.in, to + i * grid_.in, grid_.weight_matrix());
    }
  }

  void Finish() const {
    const int64_t first = chunk_ * grid_.chunk, channels = std::min(grid_.chunk, grid_.out - first);
    const int64_t tiles = std::min(grid_.block, grid_.tiles - block_ * grid_.block);
    const float* const from = products_.const_data_ptr<float>();
    std::array<float*, kResultSide * kResultSide> places;
    for (int64_t i = 0; i < tiles; ++i) {
      const Corner corner = CornerOf(block_ * grid_.block + i);
      for (int64_t j = 0; j < kResultSide * kResultSide; ++j) {
        const int64_t y = corner.top + j / kResultSide, x = corner.left + j % kResultSide;
        const bool inside = y < grid_.height && x < grid_.width;
        places[static_cast<size_t>(j)] = inside ? out_ + PlaceOf(corner.row, y, x) * grid_.out + first : nullptr;
      }
      TileFromMatrices(from + i * grid_.chunk, grid_.block * grid_.chunk, channels, bias_ + first, add_, places.data());
    }
  }

  const FourGrid& grid_;
  const float *image_, *weight_, *bias_;
  const bool add_;
  float* const out_;
  at::Tensor tiles_, weights_, products_;  // [36, block, in], [36, chunk, in], [36, block, chunk]
  std::vector<float> zeros_;
  int64_t block_ = -1, chunk_ = -1;
};

}  // namespace

bool ChannelsTileByFour(int64_t out, int64_t in) {
  return out % kStep == 0 && in % kStep == 0 && std::min(out, in) >= kFewestChannels;
}

bool CanTileByFour(const at::Tensor& weight) {
  return weight.is_cpu() && weight.scalar_type() == at::kFloat && weight.dim() == 4 && weight.size(2) == 3 &&
         weight.size(3) == 3 && ChannelsTileByFour(weight.size(0), weight.size(1)) &&
         weight.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool WantsTilesOfFour(int64_t height, int64_t width) {
  // A narrow image's tiles would be mostly border.
  return std::min(height, width) >= kResultSide && height * width >= kFewestTiles * kResultSide * kResultSide;
}

void ConvolveByTilesOfFour(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool add,
                           at::Tensor& out) {
  const FourGrid grid(x.size(0), x.size(2), x.size(3), weight.size(1), weight.size(0));
  const at::Tensor image = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor shift = bias.defined() ? bias : at::zeros({grid.out}, x.options());
  const at::Tensor scratch = at::empty({at::get_num_threads(), grid.floats_a_thread()}, x.options());
  const float* const from = image.const_data_ptr<float>();
  const float* const weights = weight.const_data_ptr<float>();
  float* const to = out.mutable_data_ptr<float>();
  at::parallel_for(0, grid.blocks * grid.chunks, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode no_versions;  // the calling thread's does not reach the others
    FourWorker worker(grid, scratch.select(0, at::get_thread_num()), from, weights, shift.const_data_ptr<float>(), add,
                      to);
    for (int64_t item = begin; item < end; ++item) worker.Run(item);
  });
}

int64_t TilesOfFourScratchBytes(int64_t out, int64_t in, int64_t rows, int64_t height, int64_t width) {
  const FourGrid grid(rows, height, width, in, out);
  return AllocatedBytes(at::get_num_threads() * grid.floats_a_thread() * 4);
}

}  // namespace grym
