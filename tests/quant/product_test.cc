#include "quant/product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "quant/pack.h"

namespace grym {
namespace {

std::vector<float> GaussianFloats(size_t count, uint64_t seed, double deviation) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> draw(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(draw(random));
  return values;
}

struct TestMatrix {
  PackedLayout layout;
  std::vector<uint8_t> bytes;
  std::vector<float> bias;
  PackedView view() const { return PackedView(layout, bytes.data()); }
};

TestMatrix MatrixOf(WeightFormat format, int64_t out, int64_t in, int64_t group) {
  TestMatrix matrix{PackedLayout::Create(format, out, in, HasGroups(format) ? group : 0).value(), {}, {}};
  matrix.bytes.resize(static_cast<size_t>(matrix.layout.bytes()));
  PackRows(matrix.layout, GaussianFloats(static_cast<size_t>(out * in), 1, 0.02).data(), 0, out, matrix.bytes.data());
  matrix.bias = GaussianFloats(static_cast<size_t>(out), 2, 1);
  return matrix;
}

std::vector<float> Product(const TestMatrix& matrix, const std::vector<float>& x, int64_t rows, ProductPath path,
                           int64_t parts = 1) {
  std::vector<float> prepared(static_cast<size_t>(rows * PreparedRowFloats(matrix.layout)), -1.0f);
  std::vector<float> y(static_cast<size_t>(rows * matrix.layout.out), -7.0f);
  PrepareInputs(matrix.layout, x.data(), rows, prepared.data());
  const int64_t blocks = matrix.layout.blocks();
  std::vector<std::thread> threads;
  for (int64_t part = 0; part < parts; ++part) {
    threads.emplace_back([&, part] {
      MultiplyBlocks(matrix.view(), prepared.data(), rows, blocks * part / parts, blocks * (part + 1) / parts,
                     matrix.bias.data(), y.data(), path);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return y;
}

// The largest difference to a product in double over the weights as they are decoded, each as a part of the root of the
// sum of its squared products.
double WorstDifference(const TestMatrix& matrix, const std::vector<float>& x, int64_t rows,
                       const std::vector<float>& y) {
  const PackedLayout& layout = matrix.layout;
  std::vector<float> weights(static_cast<size_t>(layout.in));
  double worst = 0;
  for (int64_t o = 0; o < layout.out; ++o) {
    matrix.view().DecodeRow(o, weights.data());
    for (int64_t r = 0; r < rows; ++r) {
      double sum = matrix.bias[static_cast<size_t>(o)], squares = 1e-30;
      for (int64_t i = 0; i < layout.in; ++i) {
        const double product =
            static_cast<double>(weights[static_cast<size_t>(i)]) * x[static_cast<size_t>(r * layout.in + i)];
        sum += product, squares += product * product;
      }
      const double bias = matrix.bias[static_cast<size_t>(o)];
      worst = std::max(worst, std::fabs(y[static_cast<size_t>(r * layout.out + o)] - sum) /
                                  std::sqrt(squares + bias * bias));
    }
  }
  return worst;
}

constexpr WeightFormat kFormats[] = {WeightFormat::kFloat32, WeightFormat::kFloat16, WeightFormat::kBFloat16,
                                     WeightFormat::kInt8, WeightFormat::kInt4};

// What a product may be off by: 4e-6 with floating weights, some roundings of sums of a thousand float32 products.
// Rounded inputs: a group's largest of 128 Gaussian ones is 2.8 deviations, of which half a 32767th (a 127th) is the
// most that one is off by, and the root of a thousand of them over the root of a thousand products stays under 1e-4, of
// bytes under 2.5e-2; single groups and fewer columns have larger largest ones.
double MostDifference(WeightFormat format, int64_t group = 64) {
  if (!HasGroups(format)) return 4e-6;
  return TakesByteInputs({.format = format, .group = group}) ? 2.5e-2 : 1e-4;
}

class ProductPathTest : public testing::TestWithParam<ProductPath> {
 protected:
  void SetUp() override {
    if (!ProductPathRuns(GetParam())) GTEST_SKIP() << ProductPathName(GetParam()) << " is no path of this machine";
  }
};

TEST_P(ProductPathTest, EqualsAPlainReference) {
  for (const WeightFormat format : kFormats) {
    for (const int64_t group : {32, 64, 128}) {
      if (!HasGroups(format) && group != 32) continue;
      const double most = MostDifference(format, group);
      for (const int64_t in : {1, 20, 33, 64, 97, 200, 1024}) {
        const TestMatrix matrix = MatrixOf(format, 21, in, group);
        const std::vector<float> x = GaussianFloats(static_cast<size_t>(7 * in), 3, 2);
        const std::vector<float> y = Product(matrix, x, 7, GetParam());
        EXPECT_LE(WorstDifference(matrix, x, 7, y), most) << WeightFormatName(format) << " " << group << " " << in;
      }
    }
  }
}

// Offsets and centres take part: inputs that all have one sign, weights that all have the other.
TEST_P(ProductPathTest, HoldsForInputsFarFromZero) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    TestMatrix matrix = MatrixOf(format, 8, 512, 64);
    std::vector<float> weights = GaussianFloats(8 * 512, 4, 0.02), x = GaussianFloats(3 * 512, 5, 1);
    for (float& weight : weights) weight -= 0.1f;
    for (float& value : x) value += 5;
    PackRows(matrix.layout, weights.data(), 0, 8, matrix.bytes.data());
    // 22 times the root of the squared products is the sum here, so that its roundings show as so much more.
    EXPECT_LE(WorstDifference(matrix, x, 3, Product(matrix, x, 3, GetParam())),
              std::max(MostDifference(format), 4e-5))
        << WeightFormatName(format);
  }
}

TEST_P(ProductPathTest, ARowIsTheSameBitsInAnyCompanyAndAnySplit) {
  for (const WeightFormat format : kFormats) {
    for (const int64_t group : {32, 64, 128}) {
      if (!HasGroups(format) && group != 32) continue;
      const TestMatrix matrix = MatrixOf(format, 50, 333, group);
      const std::vector<float> x = GaussianFloats(80 * 333, 6, 1);
      const std::vector<float> all = Product(matrix, x, 80, GetParam());
      for (const int64_t rows : {1, 2, 3, 4, 5, 16, 65}) {
        for (const int64_t parts : {1, 3}) {
          // The last rows of all, so that their place in the tiles of rows is another.
          const std::vector<float> some(x.end() - rows * 333, x.end());
          const std::vector<float> y = Product(matrix, some, rows, GetParam(), parts);
          EXPECT_TRUE(std::equal(y.begin(), y.end(), all.end() - rows * 50))
              << WeightFormatName(format) << " " << group << " " << rows << " rows in " << parts;
        }
      }
    }
  }
}

TEST_P(ProductPathTest, InputsThatAreNotFiniteSpoilTheirRowAlone) {
  for (const WeightFormat format : kFormats) {
    const TestMatrix matrix = MatrixOf(format, 9, 130, 64);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF}) {
      std::vector<float> x = GaussianFloats(3 * 130, 8, 1);
      const std::vector<float> good = Product(matrix, x, 3, GetParam());
      x[130 + 70] = bad;
      const std::vector<float> y = Product(matrix, x, 3, GetParam());
      for (size_t o = 0; o < 9; ++o) {
        EXPECT_EQ(y[o], good[o]);
        EXPECT_FALSE(std::isfinite(y[9 + o])) << WeightFormatName(format);
        EXPECT_EQ(y[18 + o], good[18 + o]);
      }
    }
  }
}

// Zeros, tiny and huge inputs, alone in their row: no scale of theirs may overflow or vanish.
TEST_P(ProductPathTest, InputsOfAnySizeAreMultiplied) {
  for (const WeightFormat format : kFormats) {
    const double most = MostDifference(format);
    TestMatrix matrix = MatrixOf(format, 8, 128, 64);
    std::fill(matrix.bias.begin(), matrix.bias.end(), 0.0f);
    for (const double size : {0.0, 1e-25, 1e25}) {
      const std::vector<float> x = GaussianFloats(128, 9, size);
      const std::vector<float> y = Product(matrix, x, 1, GetParam());
      if (size == 0) {
        for (const float value : y) EXPECT_EQ(value, 0) << WeightFormatName(format);
      } else {
        EXPECT_LE(WorstDifference(matrix, x, 1, y), size < 1 ? std::max(0.01, most) : most)
            << WeightFormatName(format) << " " << size;
      }
    }
  }
}

// Sums of whole products are exact, and all else is rounded alike: int8 and int4 are the same bits on every path, with
// columns and groups that are not full, and rows that fill no block. Floating sums are fused on the vector paths alone.
TEST_P(ProductPathTest, AgreesWithThePortablePath) {
  for (const WeightFormat format : kFormats) {
    for (const int64_t group : {32, 64, 128}) {
      if (!HasGroups(format) && group != 32) continue;
      for (const int64_t in : {5, 100, 1000, 1024}) {
        const TestMatrix matrix = MatrixOf(format, 70, in, group);
        const std::vector<float> x = GaussianFloats(static_cast<size_t>(5 * in), 10, 1);
        const std::vector<float> y = Product(matrix, x, 5, GetParam());
        const std::vector<float> plain = Product(matrix, x, 5, ProductPath::kPortable);
        if (HasGroups(format)) {
          EXPECT_EQ(y, plain) << WeightFormatName(format) << " " << group << " " << in;
        } else {
          for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], plain[i], 1e-5) << WeightFormatName(format) << in;
        }
      }
    }
  }
}

// The widest sums there are: codes and inputs all at their largest, of one sign, in groups of 128. bfloat16's scales and
// offsets leave 4 of a thousand each; a sum that had run over would be off by far more.
TEST_P(ProductPathTest, TheLargestWholeSumsFit) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    for (const int64_t group : {32, 128}) {
      TestMatrix matrix = MatrixOf(format, 16, 256, group);
      std::vector<float> weights(16 * 256);
      for (size_t i = 0; i < weights.size(); ++i) weights[i] = i % 32 == 0 ? 0.0f : 1.0f;
      PackRows(matrix.layout, weights.data(), 0, 16, matrix.bytes.data());
      const std::vector<float> x(256, -3.0f);
      for (const float y : Product(matrix, x, 1, GetParam())) EXPECT_NEAR(y, -3.0f * 248, 8);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, ProductPathTest,
                         testing::Values(ProductPath::kPortable, ProductPath::kAvx2, ProductPath::kAvx512),
                         [](const auto& tested) { return std::string(ProductPathName(tested.param)); });

TEST(ProductTest, TheBestPathRuns) { EXPECT_TRUE(ProductPathRuns(BestProductPath())); }

}  // namespace
}  // namespace grym
