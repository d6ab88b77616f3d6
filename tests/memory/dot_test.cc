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

std::vector<uint16_t> ScoresByHand(const std::vector<uint8_t>& signs, const uint8_t* table) {
  std::vector<uint16_t> scores(signs.size() / kHalfSignBytes, 0);
  for (size_t v = 0; v < scores.size(); ++v) {
    for (size_t byte = 0; byte < kHalfSignBytes; ++byte) {
      const unsigned both = signs[(v / kSignGroup * kHalfSignBytes + byte) * kSignGroup + v % kSignGroup];
      scores[v] = static_cast<uint16_t>(scores[v] + table[32 * byte + both % 16] + table[32 * byte + 16 + both / 16]);
    }
  }
  return scores;
}

// At the largest table entries as well, and at odd numbers of groups.
TEST(DotTest, KernelsAgreeOnSignsExactly) {
  Random random(7);
  for (int round = 0; round < 40; ++round) {
    const size_t groups = 1 + static_cast<size_t>(round % 4);
    std::vector<uint8_t> signs(groups * kSignGroup * kHalfSignBytes), others(signs.size()), tables(2 * kHalfTableBytes);
    for (uint8_t& value : signs) value = static_cast<uint8_t>(random.Below(256));
    for (uint8_t& value : others) value = static_cast<uint8_t>(random.Below(256));
    for (uint8_t& value : tables) value = round == 0 ? uint8_t{124} : static_cast<uint8_t>(random.Below(125));
    const std::vector<uint16_t> first = ScoresByHand(signs, tables.data());
    std::vector<uint16_t> whole = ScoresByHand(others, tables.data() + kHalfTableBytes);
    for (size_t v = 0; v < whole.size(); ++v) whole[v] = static_cast<uint16_t>(whole[v] + first[v]);
    for (const DotKernels* kernels : {&BestDotKernels(), &PortableDotKernels()}) {
      std::vector<uint16_t> best(groups);
      kernels->best_scores(signs.data(), groups, tables.data(), best.data());
      for (size_t group = 0; group < groups; ++group) {
        const size_t start = group * kSignGroup, end = start + kSignGroup;
        EXPECT_EQ(best[group], *std::max_element(&first[start], &first[end - 1] + 1)) << kernels->name;
        std::vector<uint16_t> made_first(kSignGroup), made_whole(kSignGroup);
        const int highest = kernels->group_scores(&signs[start * kHalfSignBytes], &others[start * kHalfSignBytes],
                                                  tables.data(), made_first.data(), made_whole.data());
        EXPECT_TRUE(std::equal(made_first.begin(), made_first.end(), &first[start])) << kernels->name;
        EXPECT_TRUE(std::equal(made_whole.begin(), made_whole.end(), &whole[start])) << kernels->name;
        EXPECT_EQ(highest, *std::max_element(&whole[start], &whole[end - 1] + 1)) << kernels->name;
      }
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
