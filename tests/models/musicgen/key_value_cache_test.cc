#include "models/musicgen/key_value_cache.h"

#include <cmath>
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

// 16 bits a number: 2^-16 of the largest one of a vector, and less than that once many are averaged.
TEST(KeyValueCacheTest, AttendsAsDoublesDo) {
  for (const int64_t dim : {3, 8, 20, 64, 80, 128}) {
    const int64_t count = 77;
    KeyValueCache cache({2, 2, 2, dim, 80});
    const at::Tensor query = at::randn({1, dim}) * 2, keys = at::randn({count, dim}), values = at::randn({count, dim});
    for (int64_t i = 0; i < count; ++i) cache.Write(1, 1, 1, i, Row(keys, i), Row(values, i));
    for (const int64_t visible : {int64_t{1}, int64_t{7}, int64_t{8}, int64_t{9}, count}) {
      const at::Tensor scores = at::mm(query.to(at::kDouble), keys.narrow(0, 0, visible).to(at::kDouble).t());
      const at::Tensor wanted = at::mm(at::softmax(scores / std::sqrt(static_cast<double>(dim)), -1),
                                       values.narrow(0, 0, visible).to(at::kDouble));
      const std::vector<float> got = Mixed(cache, 1, visible, Row(query, 0));
      for (int64_t d = 0; d < dim; ++d) {
        EXPECT_NEAR(got[static_cast<size_t>(d)], wanted.const_data_ptr<double>()[d], 2e-4) << dim << " " << visible;
      }
    }
  }
}

TEST(KeyValueCacheTest, WhatComesLaterChangesNoBit) {
  KeyValueCache cache({1, 1, 1, 24, 40});
  const at::Tensor query = at::randn({1, 24}), keys = at::randn({40, 24}), values = at::randn({40, 24});
  std::vector<std::vector<float>> before;
  for (int64_t i = 0; i < 40; ++i) {
    cache.Write(0, 0, 0, i, Row(keys, i), Row(values, i));
    before.push_back(Mixed(cache, 0, i + 1, Row(query, 0)));
  }
  for (int64_t i = 0; i < 40; ++i) EXPECT_EQ(Mixed(cache, 0, i + 1, Row(query, 0)), before[static_cast<size_t>(i)]);
}

TEST(KeyValueCacheTest, ZerosAndNumbersOfAnySizeAndNone) {
  KeyValueCache cache({1, 1, 1, 8, 8});
  const std::vector<float> zeros(8, 0.0f), large(8, 1e30f), small(8, 1e-30f), query(8, 0.1f);
  cache.Write(0, 0, 0, 0, zeros.data(), zeros.data());
  EXPECT_EQ(Mixed(cache, 0, 1, query.data()), zeros);
  cache.Write(0, 0, 0, 0, small.data(), large.data());
  for (const float x : Mixed(cache, 0, 1, query.data())) EXPECT_NEAR(x, 1e30f, 1e26);
  for (const float bad : {std::nanf(""), INFINITY}) {
    std::vector<float> broken(8, 1.0f);
    broken[5] = bad;
    cache.Write(0, 0, 0, 1, broken.data(), zeros.data());
    EXPECT_TRUE(std::isnan(Mixed(cache, 0, 2, query.data())[0])) << bad;
    cache.Write(0, 0, 0, 1, zeros.data(), broken.data());
    EXPECT_TRUE(std::isnan(Mixed(cache, 0, 2, query.data())[0])) << bad;
  }
}

}  // namespace
}  // namespace grym
