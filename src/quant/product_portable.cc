#include <algorithm>
#include <array>

#include "quant/half.h"
#include "quant/product.h"

namespace grym {
namespace {

using BlockSums = std::array<float, kPackedRows>;

// total += scale of weights and inputs * sum of whole products + offset * sum of inputs, as the vector paths round it.
void AddGroupSums(const uint8_t* meta, const std::array<int32_t, kPackedRows>& whole, const PreparedRow& x, int64_t g,
                  BlockSums& totals) {
  for (size_t lane = 0; lane < kPackedRows; ++lane) {
    const float factor = BFloat16ToFloat(LoadedAs<uint16_t>(meta + 2 * lane)) * x.scales[g];
    const float offset = BFloat16ToFloat(LoadedAs<uint16_t>(meta + 2 * (kPackedRows + lane)));
    const float by_code = factor * static_cast<float>(whole[lane] - x.shifts[g]);
    totals[lane] = (totals[lane] + by_code) + offset * x.sums[g];
  }
}

int32_t InputAt(const PackedLayout& layout, const PreparedRow& x, int64_t column) {
  if (TakesByteInputs(layout)) return x.bytes[column];
  constexpr int64_t kPlaces[] = {0, 2, 1, 3};
  return x.words[column / 4 * 4 + kPlaces[column % 4]];
}

void CodesTimesRow(const PackedLayout& layout, const uint8_t* block, const PreparedRow& x, BlockSums& totals) {
  for (int64_t g = 0; g < layout.groups(); ++g) {
    std::array<int32_t, kPackedRows> whole{};
    const int64_t from = g * layout.group, count = layout.group_columns(g);
    for (int64_t c = from; c < from + count; ++c) {
      const int32_t input = InputAt(layout, x, c);
      for (int64_t lane = 0; lane < kPackedRows; ++lane) {
        whole[static_cast<size_t>(lane)] += CodeAt(layout, block, lane, c) * input;
      }
    }
    AddGroupSums(block + layout.meta_begin(g), whole, x, g, totals);
  }
}

// Even and odd columns apart, as the vector paths add them.
void FloatsTimesRow(const PackedLayout& layout, const uint8_t* block, const PreparedRow& x, BlockSums& totals) {
  BlockSums odd{};
  for (int64_t c = 0; c < layout.padded_in(); ++c) {
    BlockSums& to = c % 2 ? odd : totals;
    for (int64_t lane = 0; lane < kPackedRows; ++lane) {
      to[static_cast<size_t>(lane)] += FloatAt(layout, block, lane, c) * x.floats[c];
    }
  }
  for (size_t lane = 0; lane < kPackedRows; ++lane) totals[lane] += odd[lane];
}

template <void (*TimesRow)(const PackedLayout&, const uint8_t*, const PreparedRow&, BlockSums&)>
void PortableBlock(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows,
                   float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows; ++r) {
    BlockSums totals{};
    TimesRow(layout, block, PreparedRow::At(layout, prepared + r * stride), totals);
    std::copy(totals.begin(), totals.end(), sums + r * kPackedRows);
  }
}

}  // namespace

BlockProduct PortableBlockProduct(const PackedLayout& layout) {
  return HasGroups(layout.format) ? PortableBlock<CodesTimesRow> : PortableBlock<FloatsTimesRow>;
}

}  // namespace grym
