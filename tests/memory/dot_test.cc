#include "memory/dot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace grym {
namespace {

// At the largest values there are, so that an overflow would show.
TEST(DotTest, KernelsAgreeOnIntegersExactly) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<int8_t> a(3 * kVectorDims);
    std::vector<int16_t> query(kVectorDims);
    for (int8_t& value : a) value = round == 0 ? int8_t{127} : static_cast<int8_t>(random.Below(255) - 127);
    for (int16_t& value : query)
      value = round == 0 ? int16_t{32767} : static_cast<int16_t>(random.Below(65535) - 32767);
    int32_t best[3], portable[3];
    BestDotKernels().codes_by_query(a.data(), 3, query.data(), best);
    PortableDotKernels().codes_by_query(a.data(), 3, query.data(), portable);
    for (int i = 0; i < 3; ++i) {
      int64_t sum = 0;
      for (size_t d = 0; d < kVectorDims; ++d) sum += int64_t{a[static_cast<size_t>(i) * kVectorDims + d]} * query[d];
      EXPECT_EQ(best[i], sum);
      EXPECT_EQ(portable[i], sum);
    }
  }
}

// At the largest table entries as well, and at odd numbers of groups.
TEST(DotTest, KernelsAgreeOnSignsExactly) {
  Random random(7);
  for (int round = 0; round < 40; ++round) {
    const size_t groups = 1 + static_cast<size_t>(round % 4);
    std::vector<uint8_t> signs(groups * kSignGroup * kHalfSignBytes), table(16 * 16);
    for (uint8_t& value : signs) value = static_cast<uint8_t>(random.Below(256));
    for (uint8_t& value : table) value = round == 0 ? uint8_t{124} : static_cast<uint8_t>(random.Below(125));
    std::vector<uint16_t> want(groups * kSignGroup, 0), want_best(groups, 0);
    for (size_t v = 0; v < want.size(); ++v) {
      for (size_t byte = 0; byte < kHalfSignBytes; ++byte) {
        const unsigned both = signs[(v / kSignGroup * kHalfSignBytes + byte) * kSignGroup + v % kSignGroup];
        want[v] = static_cast<uint16_t>(want[v] + table[32 * byte + both % 16] + table[32 * byte + 16 + both / 16]);
      }
      want_best[v / kSignGroup] = std::max(want_best[v / kSignGroup], want[v]);
    }
    for (const DotKernels* kernels : {&BestDotKernels(), &PortableDotKernels()}) {
      std::vector<uint16_t> scores(want.size()), best(groups);
      kernels->signs_by_table(signs.data(), groups, table.data(), scores.data(), best.data());
      EXPECT_EQ(scores, want) << kernels->name;
      EXPECT_EQ(best, want_best) << kernels->name;
    }
  }
}

TEST(DotTest, KernelsAgreeOnFloatsWithinRounding) {
  Random random(6);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> a(kVectorDims), b(kVectorDims);
    double exact = 0, size = 0;
    for (size_t d = 0; d < kVectorDims; ++d) {
      a[d] = static_cast<float>(random.Normal());
      b[d] = static_cast<float>(random.Normal());
      exact += double{a[d]} * b[d];
      size += std::abs(double{a[d]} * b[d]);
    }
    // 128 roundings of half a unit in the last place at worst.
    EXPECT_NEAR(BestDotKernels().floats(a.data(), b.data()), exact, size * 128 * 6e-8);
    EXPECT_NEAR(PortableDotKernels().floats(a.data(), b.data()), exact, size * 128 * 6e-8);
  }
}

}  // namespace
}  // namespace grym
