#include "quant/layout.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "quant/half.h"
#include "quant/pack.h"

namespace grym {
namespace {

PackedLayout LayoutOf(WeightFormat format, int64_t out, int64_t in, int64_t group) {
  const auto layout = PackedLayout::Create(format, out, in, group);
  EXPECT_TRUE(layout.ok()) << layout.status();
  return *layout;
}

std::vector<uint8_t> PackedBytes(const PackedLayout& layout, const std::vector<float>& weights) {
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.bytes()), 0xee);
  PackRows(layout, weights.data(), 0, layout.out, bytes.data());
  return bytes;
}

TEST(LayoutTest, SizesFollowFromTheShape) {
  EXPECT_EQ(LayoutOf(WeightFormat::kFloat32, 16, 64, 0).bytes(), 64 + 16 * 64 * 4);
  EXPECT_EQ(LayoutOf(WeightFormat::kFloat16, 17, 65, 0).bytes(), 64 + 2 * 16 * 72 * 2);
  EXPECT_EQ(LayoutOf(WeightFormat::kInt8, 4, 128, 64).bytes(), 64 + 16 * 128 + 2 * 64);
  EXPECT_EQ(LayoutOf(WeightFormat::kInt4, 1024, 1024, 64).bytes(), 64 + 64 * (16 * 512 + 16 * 64));
  EXPECT_EQ(LayoutOf(WeightFormat::kInt4, 4, 33, 32).groups(), 2);
  EXPECT_EQ(LayoutOf(WeightFormat::kInt4, 4, 33, 32).group_columns(1), 8);
}

TEST(LayoutTest, RefusesShapesThatMakeNoSense) {
  const auto code = [](WeightFormat format, int64_t out, int64_t in, int64_t group) {
    return ErrorCode(PackedLayout::Create(format, out, in, group).status());
  };
  EXPECT_EQ(code(WeightFormat::kInt8, 0, 4, 64), "bad_packed_shape");
  EXPECT_EQ(code(WeightFormat::kInt8, 4, (1 << 24) + 1, 64), "bad_packed_shape");
  EXPECT_EQ(code(WeightFormat::kInt8, 4, 4, 48), "bad_packed_shape");
  EXPECT_EQ(code(WeightFormat::kInt4, 4, 4, 0), "bad_packed_shape");
  EXPECT_EQ(code(WeightFormat::kFloat32, 4, 4, 64), "bad_packed_shape");
  EXPECT_EQ(code(static_cast<WeightFormat>(6), 4, 4, 0), "bad_packed_shape");
}

TEST(LayoutTest, OpensWhatWasPackedAtAnyAlignment) {
  const PackedLayout layout = LayoutOf(WeightFormat::kInt4, 6, 100, 32);
  const std::vector<uint8_t> bytes = PackedBytes(layout, std::vector<float>(600, 0.25f));
  std::vector<uint8_t> moved(bytes.size() + 3);
  std::memcpy(moved.data() + 3, bytes.data(), bytes.size());
  const auto view = PackedView::OpenChecked({moved.data() + 3, bytes.size()});
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->layout(), layout);
  std::vector<float> row(100);
  view->DecodeRow(5, row.data());
  for (const float weight : row) EXPECT_EQ(weight, 0.25f);
}

// Every bit of the header counts: whichever one is turned over, the bytes are refused.
TEST(LayoutTest, EveryDamagedBitOfTheHeaderIsFound) {
  std::vector<uint8_t> bytes = PackedBytes(LayoutOf(WeightFormat::kInt8, 7, 60, 64), std::vector<float>(420, 1.0f));
  for (size_t bit = 0; bit < 8 * kPackedHeaderBytes; ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_EQ(ErrorCode(PackedView::Open(bytes).status()), "bad_packed_weights") << "bit " << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
  EXPECT_TRUE(PackedView::Open(bytes).ok());
}

TEST(LayoutTest, SizesThatDoNotAgreeAreErrors) {
  std::vector<uint8_t> bytes = PackedBytes(LayoutOf(WeightFormat::kFloat16, 7, 70, 0), std::vector<float>(490, 1.0f));
  for (const size_t size : {size_t{0}, size_t{63}, size_t{64}, bytes.size() - 1}) {
    EXPECT_EQ(ErrorCode(PackedView::Open({bytes.data(), size}).status()), "bad_packed_weights") << size;
  }
  bytes.push_back(0);
  EXPECT_EQ(ErrorCode(PackedView::Open(bytes).status()), "bad_packed_weights");
}

TEST(LayoutTest, NumbersThatAreNotFiniteAreFoundWhereAskedFor) {
  const PackedLayout layout = LayoutOf(WeightFormat::kInt8, 4, 64, 64);
  std::vector<uint8_t> bytes = PackedBytes(layout, std::vector<float>(256, 1.0f));
  const uint16_t infinite = 0x7f80;
  std::memcpy(bytes.data() + kPackedHeaderBytes + layout.meta_begin(0) + 2, &infinite, 2);  // the scale of row 1
  EXPECT_TRUE(PackedView::Open(bytes).ok());
  const absl::Status status = PackedView::OpenChecked(bytes).status();
  EXPECT_EQ(ErrorCode(status), "non_finite_weights");
  EXPECT_NE(status.message().find("row 1"), std::string::npos) << status;
}

TEST(LayoutTest, WhetherNumbersAreFiniteIsToldOfAnyBlock) {
  for (const WeightFormat format : {WeightFormat::kFloat32, WeightFormat::kFloat16, WeightFormat::kBFloat16,
                                    WeightFormat::kInt8, WeightFormat::kInt4}) {
    const PackedLayout layout = LayoutOf(format, 3 * kPackedRows, 70, HasGroups(format) ? 64 : 0);
    const auto count = static_cast<size_t>(layout.out * layout.in);
    std::vector<uint8_t> bytes = PackedBytes(layout, std::vector<float>(count, 1.0f));
    const PackedView view(layout, bytes.data());
    EXPECT_TRUE(view.AreFinite(0, layout.blocks()));
    // What ends the second block: the last offset, or the last column's last weight or its upper half.
    uint8_t* const last = bytes.data() + kPackedHeaderBytes + 2 * layout.block_bytes() - 2;
    const uint16_t number = format == WeightFormat::kFloat16 ? 0xfc01 : 0xff81;
    std::memcpy(last, &number, 2);
    EXPECT_FALSE(view.AreFinite(0, layout.blocks())) << WeightFormatName(format);
    EXPECT_FALSE(view.AreFinite(1, 2)) << WeightFormatName(format);
    EXPECT_TRUE(view.AreFinite(2, 3) && view.AreFinite(0, 1)) << WeightFormatName(format);
    if (!HasGroups(format)) continue;
    const uint16_t huge = 0x7e00;  // 2^125: finite, and few codes leave it so
    std::memcpy(last, &huge, 2);
    EXPECT_FALSE(view.AreFinite(0, layout.blocks())) << WeightFormatName(format);
    std::memset(last, 0, 2);
    std::memcpy(last + 2 - kGroupMetaBytes, &huge, 2);  // the same block's first scale of its last group
    EXPECT_FALSE(view.AreFinite(1, 2)) << WeightFormatName(format);
  }
}

// All 65,536 bit patterns there and back, and the roundings between neighbours.
TEST(LayoutTest, HalfNumbersAreReadAndRoundedToTheNearest) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if (std::isnan(value)) continue;
    ASSERT_EQ(FloatToHalf(value), half);
    const int exponent = static_cast<int>(bits >> 10 & 31), mantissa = static_cast<int>(bits & 1023);
    if (exponent == 31) continue;
    const double exact = std::ldexp(exponent == 0 ? mantissa : mantissa + 1024, std::max(exponent, 1) - 25);
    ASSERT_EQ(static_cast<double>(std::fabs(value)), exact);
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const float next = HalfToFloat(static_cast<uint16_t>(bits + 1)), middle = 0.5f * (value + next);
    ASSERT_EQ(FloatToHalf(middle) & 1, 0) << "ties go to even";
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, value)), half);
  }
  EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToBFloat16(1.00390625f), 0x3f80) << "ties go to even";
  EXPECT_EQ(FloatToBFloat16(1.01171875f), 0x3f82);
}

}  // namespace
}  // namespace grym
