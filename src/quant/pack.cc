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
    switch (layout_.format) {
      case WeightFormat::kFloat32: return PutFloats(4, lane, block);
      case WeightFormat::kFloat16: return PutFloats(2, lane, block);
      case WeightFormat::kBFloat16: return PutBFloats(lane, block);
      case WeightFormat::kInt8:
      case WeightFormat::kInt4: return PutGroups(lane, block);
    }
  }

 private:
  void PutFloats(int64_t bytes, int64_t lane, uint8_t* block) const {
    uint8_t* to = block + bytes * lane;
    for (const float weight : weights_) {
      const uint16_t half = FloatToHalf(weight);
      std::memcpy(to, bytes == 4 ? static_cast<const void*>(&weight) : &half, static_cast<size_t>(bytes));
      to += bytes * kPackedRows;
    }
  }

  void PutBFloats(int64_t lane, uint8_t* block) const {
    for (size_t c = 0; c < weights_.size(); c += 2) {
      const uint16_t pair[] = {FloatToBFloat16(weights_[c]), FloatToBFloat16(weights_[c + 1])};
      std::memcpy(block + static_cast<int64_t>(c) * layout_.column_bytes() + 4 * lane, pair, sizeof(pair));
    }
  }

  void PutGroups(int64_t lane, uint8_t* block) {
    for (int64_t g = 0; g < layout_.groups(); ++g) {
      const int64_t from = g * layout_.group, columns = layout_.group_columns(g);
      const auto count = static_cast<size_t>(std::min(layout_.group, layout_.in - from));
      const FittedGrid grid = FitGrid(weights_.data() + from, count, rule_);
      EncodeOnGrid(weights_.data() + from, count, grid, rule_, codes_.data() + from);
      uint8_t* const to = block + layout_.group_begin(g) + 4 * lane;
      for (int64_t c = 0; c < columns; ++c) PutCode(codes_[static_cast<size_t>(from + c)], c, to);
      const uint16_t scale = FloatToBFloat16(grid.scale), offset = FloatToBFloat16(grid.offset);
      uint8_t* const meta = block + layout_.meta_begin(g) + 2 * lane;
      std::memcpy(meta, &scale, 2);
      std::memcpy(meta + 2 * kPackedRows, &offset, 2);
    }
  }

  // `to`: the row's word in the group's first vector.
  void PutCode(int code, int64_t c, uint8_t* to) const {
    const int stored = code + CodeCentre(layout_.format);
    if (layout_.format == WeightFormat::kInt8) {
      to[c / 4 * 64 + c % 4] = static_cast<uint8_t>(stored);
      return;
    }
    uint8_t& pair = to[c / 8 * 64 + c % 4];
    pair = static_cast<uint8_t>(c % 8 < 4 ? stored : pair | stored << 4);  // the low half comes first
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
  for (int64_t row = begin; row < end; row += kPackedRows) {
    uint8_t* const block = packed + kPackedHeaderBytes + row / kPackedRows * layout.block_bytes();
    for (int64_t lane = 0; lane < kPackedRows; ++lane) {
      packer.Pack(row + lane < end ? weights + (row + lane - begin) * layout.in : nullptr, lane, block);
    }
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
