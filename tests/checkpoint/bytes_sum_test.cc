#include "checkpoint/bytes_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace grym {
namespace {

std::vector<std::byte> SomeBytes(size_t count) {
  Random random(7);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Below(256));
  return bytes;
}

TEST(BytesSumTest, EveryBitCounts) {
  std::vector<std::byte> bytes = SomeBytes(333);
  const uint64_t whole = SumOfBytes(bytes);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    ASSERT_NE(SumOfBytes(bytes), whole) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  EXPECT_EQ(SumOfBytes(bytes), whole);
}

TEST(BytesSumTest, LengthOrderAndPlaceCount) {
  std::vector<std::byte> bytes = SomeBytes(static_cast<size_t>(2 * kSumBlockBytes + 100));
  const uint64_t whole = SumOfBytes(bytes);
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_NE(SumOfBytes(longer), whole);
  std::vector<std::byte> turned = bytes;
  std::swap_ranges(turned.begin(), turned.begin() + kSumBlockBytes, turned.begin() + kSumBlockBytes);
  EXPECT_NE(SumOfBytes(turned), whole) << "two blocks that changed places";
  std::swap_ranges(turned.begin(), turned.begin() + 64, turned.begin() + 64);
  EXPECT_NE(SumOfBytes(turned), SumOfBytes(bytes)) << "two lines that changed places";
  EXPECT_EQ(SumOfBytes({}), 0u);
  EXPECT_NE(SumOfBytes(std::vector<std::byte>(1)), SumOfBytes(std::vector<std::byte>(2)));
}

// In whatever order threads come to them. What is written in files stays as it is: the value is this code's own, of an
// earlier build.
TEST(BytesSumTest, BlocksAddUpAndTheSumIsTheFilesForGood) {
  const std::vector<std::byte> bytes = SomeBytes(static_cast<size_t>(kSumBlockBytes + 7));
  const std::span<const std::byte> all(bytes);
  const auto first = static_cast<size_t>(kSumBlockBytes);
  EXPECT_EQ(SumOfBlock(all.subspan(first), 1) + SumOfBlock(all.first(first), 0), SumOfBytes(bytes));
  std::vector<std::byte> counted;
  for (int i = 0; i < 100; ++i) counted.push_back(static_cast<std::byte>(i));
  EXPECT_EQ(SumText(SumOfBytes(counted)), "54768b9e5dac300a");
}

}  // namespace
}  // namespace grym
