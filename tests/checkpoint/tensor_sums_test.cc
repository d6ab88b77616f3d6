#include "checkpoint/tensor_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "checkpoint/made_files.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::BytesOf;
using testing::Put;
using testing::SafetensorsOf;
using testing::Scratch;

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

TensorSums SumsOf(const std::string& bytes, ElementType type) { return SumElements(AsBytes(bytes), type); }

TEST(TensorSumsTest, EveryTypeIsSummed) {
  const auto expect = [](const std::string& bytes, ElementType type) {
    const TensorSums sums = SumsOf(bytes, type);
    EXPECT_EQ(sums.elements, 11) << ElementName(type);
    EXPECT_EQ(sums.sum, -6 * 2 + 5 * 3) << ElementName(type);
    EXPECT_EQ(sums.absolute_sum, 27) << ElementName(type);
  };
  // -2 and 3 in turn, eleven in all: more than the eight partial sums, and no multiple.
  const auto turns = [](auto minus_two, auto three) {
    std::vector<decltype(three)> values;
    for (int i = 0; i < 11; ++i) values.push_back(i % 2 == 0 ? static_cast<decltype(three)>(minus_two) : three);
    return BytesOf(values);
  };
  expect(turns(-2.0, 3.0), ElementType::kF64);
  expect(turns(-2.f, 3.f), ElementType::kF32);
  expect(turns(uint16_t{0xc000}, uint16_t{0x4200}), ElementType::kF16);
  expect(turns(uint16_t{0xc000}, uint16_t{0x4040}), ElementType::kBF16);
  expect(turns(int64_t{-2}, int64_t{3}), ElementType::kI64);
  expect(turns(int32_t{-2}, int32_t{3}), ElementType::kI32);
  expect(turns(int16_t{-2}, int16_t{3}), ElementType::kI16);
  expect(turns(int8_t{-2}, int8_t{3}), ElementType::kI8);
  EXPECT_EQ(SumsOf(BytesOf<uint8_t>({254, 3}), ElementType::kU8).sum, 257);
  EXPECT_EQ(SumsOf(BytesOf<uint8_t>({0, 1, 7}), ElementType::kBool).sum, 2);
  EXPECT_EQ(SumsOf("", ElementType::kF32).elements, 0);
}

TEST(TensorSumsTest, HalvesHaveTheirExactValues) {
  // Source of the values: IEEE 754 binary16, smallest subnormal, largest subnormal, smallest normal, largest.
  const std::vector<std::pair<uint16_t, double>> halves = {{0x0001, 0x1p-24},        {0x03ff, 1023 * 0x1p-24},
                                                           {0x0400, 0x1p-14},        {0x7bff, 65504},
                                                           {0x3555, 0.333251953125}, {0x8001, -0x1p-24}};
  for (const auto& [bits, value] : halves)
    EXPECT_EQ(SumsOf(BytesOf<uint16_t>({bits}), ElementType::kF16).sum, value) << bits;
  EXPECT_TRUE(std::isinf(SumsOf(BytesOf<uint16_t>({0x7c00}), ElementType::kF16).sum));
  EXPECT_TRUE(std::isnan(SumsOf(BytesOf<uint16_t>({0x7c01}), ElementType::kF16).sum));
}

template <class Bits>
void ExpectFoundEverywhere(ElementType type, Bits largest, const std::vector<Bits>& bad) {
  constexpr size_t kCount = 20000;  // more than one block
  for (const Bits value : bad) {
    for (const size_t at : {size_t{0}, size_t{1}, size_t{4095}, size_t{8191}, size_t{8192}, kCount - 1}) {
      std::vector<Bits> values(kCount, largest);
      EXPECT_EQ(FirstNonFinite(AsBytes(BytesOf(values)), type), std::nullopt);
      values[at] = value;
      values[kCount - 1] = value;
      EXPECT_EQ(FirstNonFinite(AsBytes(BytesOf(values)), type), std::optional<int64_t>(at)) << ElementName(type);
      // At an odd address.
      const std::string shifted = "x" + BytesOf(values);
      EXPECT_EQ(FirstNonFinite(AsBytes(shifted).subspan(1), type), std::optional<int64_t>(at));
    }
  }
}

TEST(TensorSumsTest, FirstNonFiniteIsFoundWhereItStands) {
  ExpectFoundEverywhere<uint64_t>(ElementType::kF64, 0x7fefffffffffffff, {0x7ff0000000000000, 0xfff8000000000001});
  ExpectFoundEverywhere<uint32_t>(ElementType::kF32, 0xff7fffff, {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001});
  ExpectFoundEverywhere<uint16_t>(ElementType::kF16, 0x7bff, {0x7c00, 0xfc00, 0x7c01});
  ExpectFoundEverywhere<uint16_t>(ElementType::kBF16, 0xff7f, {0x7f80, 0xff80, 0x7fc0});
  const std::string ones(64, '\xff');
  for (const ElementType type : {ElementType::kI64, ElementType::kI32, ElementType::kI16, ElementType::kI8,
                                 ElementType::kU8, ElementType::kBool})
    EXPECT_EQ(FirstNonFinite(AsBytes(ones), type), std::nullopt);
}

// Two tensors; the second spans more than one look of the walk.
TensorSet LargeSet(const Scratch& scratch, int64_t bad_at) {
  constexpr int64_t kCount = 3 << 20;
  std::vector<float> values(kCount, 0.5f);
  if (bad_at >= 0) values[static_cast<size_t>(bad_at)] = std::numeric_limits<float>::quiet_NaN();
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[)" +
                             std::to_string(kCount) + "],\"data_offsets\":[8," + std::to_string(8 + 4 * kCount) + "]}}";
  Put(scratch / "x", SafetensorsOf(header, BytesOf<float>({-1, 4}) + BytesOf(values)));
  return TensorSet::Open(scratch / "x").value();
}

TEST(TensorSumsTest, SetIsSummedByName) {
  const Scratch scratch;
  const auto sums = Sums(LargeSet(scratch, -1));
  ASSERT_TRUE(sums.ok());
  ASSERT_EQ(sums->size(), 2u);
  EXPECT_EQ(sums->at("a").sum, 3);
  EXPECT_EQ(sums->at("a").absolute_sum, 5);
  EXPECT_EQ(sums->at("b").elements, 3 << 20);
  EXPECT_EQ(sums->at("b").sum, (3 << 20) * 0.5);
}

TEST(TensorSumsTest, NonFiniteElementIsNamed) {
  const Scratch scratch;
  EXPECT_TRUE(CheckFinite(LargeSet(scratch, -1)).ok());
  const int64_t index = (2 << 20) + 17;
  const TensorSet set = LargeSet(scratch, index);
  const auto found = FindNonFinite(set);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->tensor, "b");
  EXPECT_EQ((*found)->index, index);
  const absl::Status status = CheckFinite(set);
  EXPECT_EQ(ErrorCode(status), "non_finite_weights");
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("\"b\": want finite numbers, got NaN or infinity at element 2097169"));
}

TEST(TensorSumsTest, CanBeCancelled) {
  const Scratch scratch;
  const TensorSet set = LargeSet(scratch, -1);
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(Sums(set, cancel).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(CheckFinite(set, cancel).code(), absl::StatusCode::kCancelled);
}

TEST(TensorSumsTest, FileThatIsCutMeanwhileIsAnError) {
  const Scratch scratch;
  const TensorSet set = LargeSet(scratch, -1);
  std::filesystem::resize_file(scratch / "x", 1000);
  EXPECT_EQ(ErrorCode(Sums(set).status()), "file_changed");
  EXPECT_EQ(ErrorCode(CheckFinite(set)), "file_changed");
}

}  // namespace
}  // namespace grym
