#include <algorithm>
#include <array>
#include <cstring>

#include "quant/half.h"
#include "quant/product.h"

namespace grym {
namespace {

using EightSums = std::array<float, 8>;

template <typename T>
T LoadedWord(const uint8_t* from) {
  T word;
  std::memcpy(&word, from, sizeof(T));
  return word;
}

// Eight weights (or codes, at their place in the word) of step k of a tile.
template <WeightFormat format>
inline EightSums WeightsAt(const uint8_t* tile, int64_t k) {
  EightSums weights;
  for (size_t lane = 0; lane < 8; ++lane) {
    const auto at = static_cast<int64_t>(lane);
    if constexpr (format == WeightFormat::kFloat32) {
      weights[lane] = LoadedWord<float>(tile + 32 * k + 4 * at);
    } else if constexpr (format == WeightFormat::kFloat16) {
      weights[lane] = HalfToFloat(LoadedWord<uint16_t>(tile + 16 * k + 2 * at));
    } else if constexpr (format == WeightFormat::kBFloat16) {
      weights[lane] = BFloat16ToFloat(LoadedWord<uint16_t>(tile + 32 * (k / 2) + 4 * at + 2 * (k % 2)));
    } else if constexpr (format == WeightFormat::kInt8) {
      const auto word = LoadedWord<uint32_t>(tile + 32 * (k / 4) + 4 * at);
      weights[lane] = static_cast<float>(static_cast<int32_t>(k % 4 == 3 ? word >> 24 : word & 255u << 8 * (k % 4)));
    } else {
      const auto word = LoadedWord<uint32_t>(tile + 4 * at);
      weights[lane] = static_cast<float>(static_cast<int32_t>(k == 7 ? word >> 28 : word & 15u << 4 * k));
    }
  }
  return weights;
}

// The steps [from, to) of a tile.
template <WeightFormat format>
inline EightSums TileSums(const uint8_t* tile, const float* x, int64_t from, int64_t to) {
  EightSums sums{};
  for (int64_t i = from; i < to; ++i) {
    const int64_t k = format == WeightFormat::kInt4 ? i / 4 * 2 + i % 2 + i % 4 / 2 * 4 : i;  // columns 0 to 31 first
    const EightSums weights = WeightsAt<format>(tile, k);
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += weights[lane] * x[8 * k + static_cast<int64_t>(lane)];
  }
  return sums;
}

inline float SumOfEight(const EightSums& s) {
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

template <WeightFormat format>
float LaneProduct(const PackedLayout& layout, const uint8_t* block, int64_t lane, const float* x) {
  EightSums total{};
  float by_offset = 0;
  const float* const group_sums = x + layout.padded_in();
  const float centre = format == WeightFormat::kInt8 ? 128.0f : 8.0f;
  const int64_t step = HasGroups(format) ? std::min(layout.group, kTileColumns) : kTileColumns;
  for (int64_t from = 0; from < layout.in; from += step) {
    const uint8_t* const tile = block + (from / kTileColumns * kPackedRows + lane) * layout.tile_bytes();
    const int64_t step_in_tile = from % kTileColumns / 8;
    const EightSums sums = TileSums<format>(tile, x + from / kTileColumns * kTileColumns, step_in_tile,
                                            step_in_tile + step / 8);
    float scale = 1;
    if (HasGroups(format)) {
      const int64_t group = from / layout.group;
      const uint8_t* const meta = block + layout.meta_begin() + group * kGroupMetaBytes + 2 * lane;
      scale = BFloat16ToFloat(LoadedWord<uint16_t>(meta));
      const float offset = BFloat16ToFloat(LoadedWord<uint16_t>(meta + 8)) - centre * scale;
      if (from % layout.group == 0) by_offset += offset * group_sums[group];
    }
    for (size_t i = 0; i < 8; ++i) total[i] += scale * sums[i];
  }
  return SumOfEight(total) + by_offset;
}

template <WeightFormat format>
void PortableBlock(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows,
                   float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t lane = 0; lane < kPackedRows; ++lane) {
      sums[r * kPackedRows + lane] = LaneProduct<format>(layout, block, lane, prepared + r * stride);
    }
  }
}

}  // namespace

BlockProduct PortableBlockProduct(WeightFormat format) {
  switch (format) {
    case WeightFormat::kFloat32: return PortableBlock<WeightFormat::kFloat32>;
    case WeightFormat::kFloat16: return PortableBlock<WeightFormat::kFloat16>;
    case WeightFormat::kBFloat16: return PortableBlock<WeightFormat::kBFloat16>;
    case WeightFormat::kInt8: return PortableBlock<WeightFormat::kInt8>;
    case WeightFormat::kInt4: return PortableBlock<WeightFormat::kInt4>;
  }
  return nullptr;
}

}  // namespace grym
