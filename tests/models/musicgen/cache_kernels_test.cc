#include "models/musicgen/cache_kernels.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grym {
namespace {

// Whole numbers in [-most, most], both ends among them.
template <class Number>
std::vector<Number> SomeNumbers(int64_t count, int most, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> draw(-most, most);
  std::vector<Number> numbers(static_cast<size_t>(count));
  for (Number& number : numbers) number = static_cast<Number>(draw(random));
  numbers.front() = static_cast<Number>(most), numbers.back() = static_cast<Number>(-most);
  return numbers;
}

std::vector<float> SomeFloats(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> draw;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) number = draw(random);
  return numbers;
}

class CacheKernelsTest : public testing::TestWithParam<CachePath> {
 protected:
  void SetUp() override {
    if (!CachePathRuns(GetParam())) GTEST_SKIP() << CachePathName(GetParam()) << " is no path of this machine";
  }
  const CacheKernels& kernels() const { return CacheKernelsOf(GetParam()); }
};

// float32 sums of `count` products, each rounded: a few units of the last place of their magnitudes' sum.
void ExpectClose(float got, double wanted, double magnitudes) { EXPECT_NEAR(got, wanted, 1e-5 * magnitudes + 1e-30); }

TEST_P(CacheKernelsTest, WordsAreScoredAsDoublesAre) {
  for (const int64_t dim : {1, 3, 8, 64, 80}) {
    const int64_t blocks = 3;
    const std::vector<int16_t> keys = SomeNumbers<int16_t>(blocks * 16 * dim, 32767, 1);
    const std::vector<float> query = SomeFloats(dim, 2), scales = SomeFloats(blocks * 16, 3);
    std::vector<float> scores(static_cast<size_t>(blocks * 16));
    kernels().score_words(keys.data(), scales.data(), query.data(), dim, blocks, scores.data());
    for (int64_t p = 0; p < blocks * 16; ++p) {
      double sum = 0, magnitudes = 0;
      for (int64_t i = 0; i < dim; ++i) {
        const double product = query[static_cast<size_t>(i)] * static_cast<double>(scales[static_cast<size_t>(p)]) *
                               keys[static_cast<size_t>(p / 16 * 16 * dim + WordKeyPlace(p % 16, i))];
        sum += product, magnitudes += std::abs(product);
      }
      ExpectClose(scores[static_cast<size_t>(p)], sum, magnitudes);
    }
  }
}

TEST_P(CacheKernelsTest, WordsAreMixedAsDoublesAre) {
  for (const int64_t dim : {16, 32, 48, 64, 112, 128}) {
    const int64_t count = 37;
    const std::vector<int16_t> values = SomeNumbers<int16_t>(count * dim, 32767, 4);
    const std::vector<float> weights = SomeFloats(count, 5);
    std::vector<float> out(static_cast<size_t>(dim), 7.0f);
    kernels().mix_words(values.data(), dim, weights.data(), count, out.data());
    for (int64_t i = 0; i < dim; ++i) {
      double sum = 0, magnitudes = 0;
      for (int64_t p = 0; p < count; ++p) {
        const double product = static_cast<double>(weights[static_cast<size_t>(p)]) *
                               values[static_cast<size_t>(p * dim + WordPlace(i))];
        sum += product, magnitudes += std::abs(product);
      }
      ExpectClose(out[static_cast<size_t>(i)], sum, magnitudes);
    }
  }
}

// Whole numbers up to the largest that fit: not one product is lost.
TEST_P(CacheKernelsTest, BytesAreScoredExactly) {
  for (const int64_t pairs : {1, 2, 5, 32, 40, 64}) {
    const int64_t blocks = 3;
    const std::vector<int8_t> keys = SomeNumbers<int8_t>(blocks * 32 * pairs, 127, 6);
    const std::vector<int16_t> query = SomeNumbers<int16_t>(2 * pairs, 32767, 7);
    const std::vector<float> scales = SomeFloats(blocks * 16, 8);
    std::vector<float> scores(static_cast<size_t>(blocks * 16));
    kernels().score_bytes(keys.data(), scales.data(), query.data(), 0.3f, pairs, blocks, scores.data());
    for (int64_t p = 0; p < blocks * 16; ++p) {
      int64_t sum = 0;
      for (int64_t i = 0; i < 2 * pairs; ++i) {
        sum += int64_t{query[static_cast<size_t>(i)]} *
               keys[static_cast<size_t>(p / 16 * 32 * pairs + ByteKeyPlace(p % 16, i))];
      }
      EXPECT_EQ(scores[static_cast<size_t>(p)], static_cast<float>(sum) * 0.3f * scales[static_cast<size_t>(p)]);
    }
  }
}

TEST_P(CacheKernelsTest, BytesAreMixedExactlyAndAdded) {
  for (const int64_t dim : {16, 48, 64, 80, 128}) {
    for (const int64_t pairs : {int64_t{1}, int64_t{19}, kCacheChunk / 2}) {
      std::vector<int8_t> values = SomeNumbers<int8_t>(2 * pairs * dim, 127, 9);
      std::vector<int16_t> weights = SomeNumbers<int16_t>(2 * pairs, 32767, 10);
      for (int64_t p = 0; p < 2 * pairs; ++p) {  // the first column's sum is the largest there is
        weights[static_cast<size_t>(p)] = 32767, values[static_cast<size_t>(p / 2 * 2 * dim + p % 2)] = -127;
      }
      std::vector<float> out(static_cast<size_t>(dim), 2.5f);
      kernels().mix_bytes(values.data(), dim, weights.data(), 0.7f, pairs, out.data());
      for (int64_t i = 0; i < dim; ++i) {
        int64_t sum = 0;
        for (int64_t p = 0; p < 2 * pairs; ++p) {
          sum += int64_t{weights[static_cast<size_t>(p)]} *
                 values[static_cast<size_t>(p / 2 * 2 * dim + 2 * i + p % 2)];
        }
        EXPECT_EQ(out[static_cast<size_t>(i)], 2.5f + 0.7f * static_cast<float>(sum));
      }
    }
  }
}

TEST_P(CacheKernelsTest, GivesThePortablePathsBits) {
  const CacheKernels& plain = CacheKernelsOf(CachePath::kPortable);
  for (const int64_t dim : {16, 48, 64, 80}) {
    const int64_t count = 256;
    const std::vector<int16_t> words = SomeNumbers<int16_t>(count * dim, 32767, 11);
    const std::vector<int8_t> bytes = SomeNumbers<int8_t>(count * dim, 127, 12);
    const std::vector<int16_t> whole = SomeNumbers<int16_t>(count, 32767, 13);
    const std::vector<float> floats = SomeFloats(count, 14), scales = SomeFloats(count, 15);
    const auto made = [&](const CacheKernels& by) {
      std::vector<float> scored(static_cast<size_t>(2 * count)), mixed(static_cast<size_t>(2 * dim), 0.1f);
      by.score_words(words.data(), scales.data(), floats.data(), dim - 1, count / 16, scored.data());
      by.score_bytes(bytes.data(), scales.data(), whole.data(), 0.3f, dim / 2, count / 16, scored.data() + count);
      by.mix_words(words.data(), dim, floats.data(), count - 1, mixed.data());
      by.mix_bytes(bytes.data(), dim, whole.data(), 0.7f, count / 2, mixed.data() + dim);
      scored.insert(scored.end(), mixed.begin(), mixed.end());
      return scored;
    };
    EXPECT_EQ(made(kernels()), made(plain)) << dim;
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, CacheKernelsTest,
                         testing::Values(CachePath::kPortable, CachePath::kAvx2, CachePath::kAvx512),
                         [](const auto& tested) { return std::string(CachePathName(tested.param)); });

TEST(CachePathTest, TheBestPathRuns) { EXPECT_TRUE(CachePathRuns(BestCachePath())); }

}  // namespace
}  // namespace grym
