#include "models/musicgen/key_value_cache.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grym {
namespace {

const float* Row(const at::Tensor& tensor, int64_t row) {
  return tensor.const_data_ptr<float>() + row * tensor.stride(0);
}

std::vector<float> Mixed(KeyValueCache& cache, int64_t lane, int64_t count, const float* query) {
  std::vector<float> out(static_cast<size_t>(cache.shape().dim));
  cache.Attend(lane, lane, lane, count, query, out.data());
  return out;
}

class KeyValueCacheTest : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { at::manual_seed(1); }  // LibTorch's own seed is another in every process
};

// 2^-16 or 2^-8 of the largest number of a vector, less once many are averaged. A query of twice a Gaussian's size makes
// scores that 8 bits move by 0.02, and values of up to 4 with them.
TEST_P(KeyValueCacheTest, AttendsAsDoublesDo) {
  const double most = GetParam() == 16 ? 2e-4 : 6e-2;
  for (const int64_t dim : {3, 8, 20, 64, 80, 128}) {
    const int64_t count = 600;
    KeyValueCache cache({2, 2, 2, dim, 601, GetParam()});
    const at::Tensor query = at::randn({1, dim}) * 2, keys = at::randn({count, dim}), values = at::randn({count, dim});
    for (int64_t i = 0; i < count; ++i) cache.Write(1, 1, 1, i, Row(keys, i), Row(values, i));
    for (const int64_t visible : {int64_t{1}, int64_t{7}, int64_t{8}, int64_t{9}, int64_t{257}, count}) {
      const at::Tensor scores = at::mm(query.to(at::kDouble), keys.narrow(0, 0, visible).to(at::kDouble).t());
      const at::Tensor wanted = at::mm(at::softmax(scores / std::sqrt(static_cast<double>(dim)), -1),
                                       values.narrow(0, 0, visible).to(at::kDouble));
      const std::vector<float> got = Mixed(cache, 1, visible, Row(query, 0));
      for (int64_t d = 0; d < dim; ++d) {
        EXPECT_NEAR(got[static_cast<size_t>(d)], wanted.const_data_ptr<double>()[d], most) << dim << " " << visible;
      }
    }
  }
}

TEST_P(KeyValueCacheTest, WhatComesLaterChangesNoBit) {
  KeyValueCache cache({1, 1, 1, 24, 40, GetParam()});
  const at::Tensor query = at::randn({1, 24}), keys = at::randn({40, 24}), values = at::randn({40, 24});
  std::vector<std::vector<float>> before;
  for (int64_t i = 0; i < 40; ++i) {
    cache.Write(0, 0, 0, i, Row(keys, i), Row(values, i));
    before.push_back(Mixed(cache, 0, i + 1, Row(query, 0)));
  }
  for (int64_t i = 0; i < 40; ++i) EXPECT_EQ(Mixed(cache, 0, i + 1, Row(query, 0)), before[static_cast<size_t>(i)]);
}

TEST_P(KeyValueCacheTest, EveryPathGivesTheSameBits) {
  for (const int64_t dim : {7, 64}) {
    const at::Tensor query = at::randn({1, dim}), keys = at::randn({300, dim}), values = at::randn({300, dim});
    const auto made = [&](CachePath path) {
      KeyValueCache cache({1, 1, 1, dim, 300, GetParam()}, path);
      for (int64_t i = 0; i < 300; ++i) cache.Write(0, 0, 0, i, Row(keys, i), Row(values, i));
      return Mixed(cache, 0, 299, Row(query, 0));
    };
    for (const CachePath path : {CachePath::kAvx2, CachePath::kAvx512}) {
      if (!CachePathRuns(path)) continue;
      EXPECT_EQ(made(path), made(CachePath::kPortable)) << CachePathName(path);
    }
  }
}

TEST_P(KeyValueCacheTest, ZerosAndNumbersOfAnySizeAndNone) {
  KeyValueCache cache({1, 1, 1, 8, 8, GetParam()});
  const std::vector<float> zeros(8, 0.0f), large(8, 1e30f), small(8, 1e-30f), query(8, 0.1f);
  cache.Write(0, 0, 0, 0, zeros.data(), zeros.data());
  EXPECT_EQ(Mixed(cache, 0, 1, query.data()), zeros);
  EXPECT_EQ(Mixed(cache, 0, 1, zeros.data()), zeros);
  cache.Write(0, 0, 0, 0, small.data(), large.data());
  for (const float x : Mixed(cache, 0, 1, query.data())) EXPECT_NEAR(x, 1e30f, 1e26);
  for (const float bad : {std::nanf(""), INFINITY}) {
    std::vector<float> broken(8, 1.0f);
    broken[5] = bad;
    EXPECT_TRUE(std::isnan(Mixed(cache, 0, 1, broken.data())[0])) << bad;
    cache.Write(0, 0, 0, 1, broken.data(), zeros.data());
    EXPECT_TRUE(std::isnan(Mixed(cache, 0, 2, query.data())[0])) << bad;
    cache.Write(0, 0, 0, 1, zeros.data(), broken.data());
    EXPECT_TRUE(std::isnan(Mixed(cache, 0, 2, query.data())[0])) << bad;
  }
}

// One position that counts and many that hardly do: weights are rounded beside those of their chunk alone, and what is
// lost in the first one's is at most 2^-17 for each of its positions.
TEST(KeyValueCacheOfBytesTest, ManySmallWeightsAreNotLost) {
  constexpr int64_t kCount = 4096, kDim = 64;
  KeyValueCache cache({1, 1, 1, kDim, kCount, 8});
  std::vector<float> key(kDim, 0.0f), value(kDim, 0.0f), query(kDim, 1.0f);
  for (int64_t i = 0; i < kCount; ++i) {
    std::fill(key.begin(), key.end(), i == 100 ? 1.5f : 0.0f);  // a score of 12 beside all others' 0
    std::fill(value.begin(), value.end(), i == 100 ? 0.0f : 1.0f);
    cache.Write(0, 0, 0, i, key.data(), value.data());
  }
  const double rest = (kCount - 1) / (kCount - 1 + std::exp(12.0));  // 0.025
  EXPECT_NEAR(Mixed(cache, 0, kCount, query.data())[0], rest, 256 * std::exp2(-17));
}

// Where few values are averaged their rounding would show most.
TEST(KeyValueCacheOfBytesTest, FirstValuesAreFine) {
  at::manual_seed(1);
  KeyValueCache cache({1, 1, 1, 64, 80, 8});
  const at::Tensor query = at::randn({1, 64}), value = at::randn({1, 64});
  const auto worst = [&](int64_t position) {
    for (int64_t i = 0; i < 80; ++i) {  // one key that all attention goes to
      const at::Tensor key = i == position ? query * 200 : at::zeros({1, 64});
      cache.Write(0, 0, 0, i, Row(key, 0), Row(value, 0));
    }
    const std::vector<float> got = Mixed(cache, 0, 80, Row(query, 0));
    double most = 0;
    for (size_t d = 0; d < 64; ++d) most = std::max(most, std::abs(double{got[d]} - Row(value, 0)[d]));
    return most;
  };
  for (const int64_t position : {0, 63}) EXPECT_LT(worst(position), 1e-3) << position;
  for (const int64_t position : {64, 79}) EXPECT_GT(worst(position), 2e-3) << position;
}

TEST(KeyValueCacheOfBytesTest, TakesHalfTheMemoryAndTheScales) {
  const CacheShape words = {24, 2, 16, 64, 1504, 16}, bytes = {24, 2, 16, 64, 1504, 8}, few = {24, 2, 16, 64, 20, 8};
  const int64_t lanes = 24 * 2 * 16, vectors = lanes * 1504 * 2, scores = 2 * 16 * (1504 + 64) * 4;
  EXPECT_EQ(KeyValueCache::Bytes(words), vectors * (128 + 4) + scores);
  EXPECT_EQ(KeyValueCache::Bytes(bytes), vectors * (64 + 4) + lanes * 64 * 64 + scores);
  EXPECT_EQ(KeyValueCache::Bytes(few), lanes * 32 * (64 + 128 + 8) + 2 * 16 * (32 + 64) * 4);
  EXPECT_EQ(KeyValueCache::Bytes({24, 2, 16, 64, 0, 8}), 0);
}

INSTANTIATE_TEST_SUITE_P(Bits, KeyValueCacheTest, testing::Values(16, 8),
                         [](const auto& tested) { return std::to_string(tested.param) + "bits"; });

}  // namespace
}  // namespace grym
