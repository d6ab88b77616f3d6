#include "quant/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "dsp/dispatch.h"
#include "quant/grid_fit.h"
#include "quant/half.h"

namespace grym {
namespace {

GridRule RuleOf(WeightFormat format) {
  if (format == WeightFormat::kInt8) {
    return {.low = -128, .high = 127, .with_offset = true, .numbers = GridNumbers::kBFloat16, .narrowest = 0.9f};
  }
  return {.low = -8, .high = 7, .with_offset = true, .numbers = GridNumbers::kBFloat16, .narrowest = 0.65f};
}

// The tiles of one row lie kPackedRows tiles apart.
void PutFloat16Tile(const float* weights, uint16_t* to) {
  for (int64_t c = 0; c < kTileColumns; ++c) to[c] = FloatToHalf(weights[c]);
}

void PutBFloat16Tile(const float* weights, uint16_t* to) {
  for (int64_t c = 0; c < kTileColumns; c += 16) {
    for (int64_t lane = 0; lane < 8; ++lane) {
      to[c + 2 * lane] = FloatToBFloat16(weights[c + lane]);
      to[c + 2 * lane + 1] = FloatToBFloat16(weights[c + 8 + lane]);
    }
  }
}

void PutInt8Tile(const int8_t* codes, uint8_t* to) {
  for (int64_t half = 0; half < 2; ++half, codes += 32, to += 32) {
    for (int64_t lane = 0; lane < 16; ++lane) {
      to[2 * lane] = static_cast<uint8_t>(codes[lane] + 128);
      to[2 * lane + 1] = static_cast<uint8_t>(codes[16 + lane] + 128);
    }
  }
}

void PutInt4Tile(const int8_t* codes, uint8_t* to) {
  for (int64_t byte = 0; byte < 2; ++byte) {
    for (int64_t lane = 0; lane < 16; ++lane) {
      const int even = codes[32 * byte + lane] + 8, odd = codes[32 * byte + 16 + lane] + 8;
      to[2 * lane + byte] = static_cast<uint8_t>(even | odd << 4);
    }
  }
}

// One row of a block: scratch for its padded columns, and where it goes.
class RowPacker {
 public:
  explicit RowPacker(const PackedLayout& layout)
      : layout_(layout), rule_(RuleOf(layout.format)), weights_(static_cast<size_t>(layout.padded_in()), 0.0f) {
    if (HasGroups(layout.format)) codes_.resize(weights_.size(), 0);
  }

  // `weights` [in], or null for a row of zeros that fills a block up.
  void Pack(const float* weights, int64_t lane, uint8_t* block) {
    const auto in = static_cast<size_t>(layout_.in);
    if (weights) {
      std::copy(weights, weights + in, weights_.begin());
    } else {
      std::fill(weights_.begin(), weights_.end(), 0.0f);
    }
    if (HasGroups(layout_.format)) Quantise(lane, block + layout_.meta_begin());
    const int64_t tile_bytes = layout_.tile_bytes();
    for (int64_t tile = 0; tile < layout_.tiles(); ++tile) {
      PutTile(tile * kTileColumns, block + (tile * kPackedRows + lane) * tile_bytes);
    }
  }

 private:
  void Quantise(int64_t lane, uint8_t* meta) {
    for (int64_t from = 0; from < layout_.in; from += layout_.group, meta += kGroupMetaBytes) {
      const auto count = static_cast<size_t>(std::min(layout_.group, layout_.in - from));
      const FittedGrid grid = FitGrid(weights_.data() + from, count, rule_);
      EncodeOnGrid(weights_.data() + from, count, grid, rule_, codes_.data() + from);
      const uint16_t scale = FloatToBFloat16(grid.scale), offset = FloatToBFloat16(grid.offset);
      std::memcpy(meta + 2 * lane, &scale, 2);
      std::memcpy(meta + 8 + 2 * lane, &offset, 2);
    }
  }

  void PutTile(int64_t from, uint8_t* to) const {
    const float* const weights = weights_.data() + from;
    switch (layout_.format) {
      case WeightFormat::kFloat32: std::memcpy(to, weights, sizeof(float) * kTileColumns); break;
      case WeightFormat::kFloat16: PutFloat16Tile(weights, reinterpret_cast<uint16_t*>(to)); break;
      case WeightFormat::kBFloat16: PutBFloat16Tile(weights, reinterpret_cast<uint16_t*>(to)); break;
      case WeightFormat::kInt8: PutInt8Tile(codes_.data() + from, to); break;
      case WeightFormat::kInt4: PutInt4Tile(codes_.data() + from, to); break;
    }
  }

  const PackedLayout layout_;
  const GridRule rule_;
  std::vector<float> weights_;
  std::vector<int8_t> codes_;
};

// How many of `count` values are no float16: those whose mantissa has bits below half's, or whose size is out of range.
GRYM_HOT uint32_t CountOutsideHalf(const float* GRYM_RESTRICT weights, size_t count) {
  uint32_t outside = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t size = std::bit_cast<uint32_t>(weights[i]) & 0x7fffffffu;
    const float value = std::bit_cast<float>(size);
    const uint32_t coarse = (value + 0.5f) - 0.5f != value;  // below 2^-14: multiples of 2^-24 alone
    const uint32_t fine = ((size & 0x1fffu) != 0) | ((size > 0x477fe000u) & (size != 0x7f800000u));
    const uint32_t differs = size < 0x38800000u ? coarse : fine;
    outside += size > 0x7f800000u ? 0u : differs;
  }
  return outside;
}

}  // namespace

void PackRows(const PackedLayout& layout, const float* weights, int64_t begin, int64_t end, uint8_t* packed) {
  if (begin == 0) WritePackedHeader(layout, packed);
  RowPacker packer(layout);
  const int64_t codes_end = layout.meta_begin() + layout.groups() * kGroupMetaBytes;
  for (int64_t row = begin; row < end; row += kPackedRows) {
    uint8_t* const block = packed + kPackedHeaderBytes + row / kPackedRows * layout.block_bytes();
    for (int64_t lane = 0; lane < kPackedRows; ++lane) {
      packer.Pack(row + lane < end ? weights + (row + lane - begin) * layout.in : nullptr, lane, block);
    }
    std::memset(block + codes_end, 0, static_cast<size_t>(layout.block_bytes() - codes_end));
  }
}

bool FitsFloat16(std::span<const float> weights) {
  constexpr size_t kPart = 1 << 16;  // most tensors that do not fit show it at once
  for (size_t from = 0; from < weights.size(); from += kPart) {
    if (CountOutsideHalf(weights.data() + from, std::min(kPart, weights.size() - from)) > 0) return false;
  }
  return true;
}

}  // namespace grym
