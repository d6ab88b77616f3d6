#include "quant/pack.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "quant/grid_fit.h"
#include "quant/half.h"
#include "quant/weight_codes.h"

namespace grym {
namespace {

constexpr int64_t kOut = 64, kIn = 1024;

std::vector<float> DrawnWeights(const std::function<double(std::mt19937_64&)>& draw) {
  std::mt19937_64 random(7);
  std::vector<float> weights(kOut * kIn);
  for (float& weight : weights) weight = static_cast<float>(0.02 * draw(random));
  return weights;
}

double Gaussian(std::mt19937_64& random) { return std::normal_distribution<double>()(random); }

struct Drawn {
  const char* name;
  std::vector<float> weights;
};

std::vector<Drawn> WeightKinds() {
  const auto heavy = [](std::mt19937_64& random) { return std::student_t_distribution<double>(4)(random); };
  const auto outliers = [](std::mt19937_64& random) {
    const double value = Gaussian(random);
    return std::uniform_real_distribution<double>()(random) < 0.002 ? 20 * value : value;
  };
  const auto uniform = [](std::mt19937_64& random) { return std::uniform_real_distribution<double>(-1, 1)(random); };
  const auto moved = [](std::mt19937_64& random) { return Gaussian(random) + 1; };
  return {{"gaussian", DrawnWeights(Gaussian)}, {"heavy tails", DrawnWeights(heavy)},
          {"outliers", DrawnWeights(outliers)}, {"uniform", DrawnWeights(uniform)}, {"moved", DrawnWeights(moved)}};
}

std::vector<float> Decoded(const std::vector<float>& weights, WeightFormat format, int64_t group) {
  const PackedLayout layout = PackedLayout::Create(format, kOut, kIn, group).value();
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.bytes()));
  PackRows(layout, weights.data(), 0, kOut, bytes.data());
  const PackedView view = PackedView::OpenChecked(bytes).value();
  std::vector<float> decoded(weights.size());
  for (int64_t row = 0; row < kOut; ++row) view.DecodeRow(row, decoded.data() + row * kIn);
  return decoded;
}

// GGUF's Q8_0, from its published definition (ggml, quantize_row_q8_0_ref): 32 weights share d = max |w| / 127, kept as
// float16; q = round(w / d).
std::vector<float> DecodedQ80(const std::vector<float>& weights) {
  std::vector<float> decoded(weights.size());
  for (size_t from = 0; from < weights.size(); from += 32) {
    float largest = 0;
    for (size_t i = from; i < from + 32; ++i) largest = std::max(largest, std::fabs(weights[i]));
    const float d = largest / 127, inverse = d > 0 ? 1 / d : 0, kept = HalfToFloat(FloatToHalf(d));
    for (size_t i = from; i < from + 32; ++i) decoded[i] = std::round(weights[i] * inverse) * kept;
  }
  return decoded;
}

// GGUF's Q4_0 (quantize_row_q4_0_ref): d = the weight of the largest size / -8, kept as float16;
// q = min(15, trunc(w / d + 8.5)); w ~ d (q - 8).
std::vector<float> DecodedQ40(const std::vector<float>& weights) {
  std::vector<float> decoded(weights.size());
  for (size_t from = 0; from < weights.size(); from += 32) {
    float largest = 0;
    for (size_t i = from; i < from + 32; ++i) {
      if (std::fabs(weights[i]) > std::fabs(largest)) largest = weights[i];
    }
    const float d = largest / -8, inverse = d != 0 ? 1 / d : 0, kept = HalfToFloat(FloatToHalf(d));
    for (size_t i = from; i < from + 32; ++i) {
      decoded[i] = kept * (std::min(15.0f, std::trunc(weights[i] * inverse + 8.5f)) - 8);
    }
  }
  return decoded;
}

// The relative error of products, expected over inputs that are independent and of one variance: that of the weights.
double ProductError(const std::vector<float>& weights, const std::vector<float>& decoded) {
  double error = 0, whole = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double exact = weights[i], rest = decoded[i] - exact;
    error += rest * rest, whole += exact * exact;
  }
  return std::sqrt(error / whole);
}

// Over inputs as drawn: 32 rows, in double.
double DrawnProductError(const std::vector<float>& weights, const std::vector<float>& decoded) {
  std::mt19937_64 random(11);
  double error = 0, whole = 0;
  for (int row = 0; row < 32; ++row) {
    std::vector<double> x(kIn);
    for (double& value : x) value = Gaussian(random);
    for (size_t o = 0; o < kOut; ++o) {
      double exact = 0, ours = 0;
      for (size_t i = 0; i < kIn; ++i) exact += x[i] * weights[o * kIn + i], ours += x[i] * decoded[o * kIn + i];
      error += (ours - exact) * (ours - exact), whole += exact * exact;
    }
  }
  return std::sqrt(error / whole);
}

// The same bits a weight as GGUF's formats (8.5 and 4.5), groups twice as long, and never a larger error.
TEST(PackTest, ProductsAreNeverWorseThanGguf) {
  for (const Drawn& kind : WeightKinds()) {
    const double q8 = ProductError(kind.weights, DecodedQ80(kind.weights));
    const double q4 = ProductError(kind.weights, DecodedQ40(kind.weights));
    const double int8 = ProductError(kind.weights, Decoded(kind.weights, WeightFormat::kInt8, 64));
    const double int4 = ProductError(kind.weights, Decoded(kind.weights, WeightFormat::kInt4, 64));
    EXPECT_LE(int8, q8) << kind.name;
    EXPECT_LE(int4, q4) << kind.name;
    RecordProperty(std::string(kind.name) + " q8_0 int8 q4_0 int4",
                   std::to_string(q8) + " " + std::to_string(int8) + " " + std::to_string(q4) + " " +
                       std::to_string(int4));
  }
}

// 2,048 products, whose errors share inputs by rows: 12 % is more than four deviations.
TEST(PackTest, TheErrorOfProductsIsThatOfTheWeights) {
  const std::vector<float> weights = DrawnWeights(Gaussian), decoded = Decoded(weights, WeightFormat::kInt4, 64);
  EXPECT_NEAR(DrawnProductError(weights, decoded) / ProductError(weights, decoded), 1, 0.12);
}

// What an evenly spaced grid leaves of Gaussian weights: a step is the group's range of 4.1, 4.7 or 5.4 deviations for
// 32, 64 or 128 weights over 15 or 255, and leaves its 12th part's root; a tenth of it less where the grid is fitted.
TEST(PackTest, GroupsKeepWeightsWithinTheirBounds) {
  const std::vector<float> weights = DrawnWeights(Gaussian);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt8, 32)), 0.0048);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt8, 64)), 0.0054);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt8, 128)), 0.0061);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt4, 32)), 0.075);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt4, 64)), 0.087);
  EXPECT_LE(ProductError(weights, Decoded(weights, WeightFormat::kInt4, 128)), 0.097);
}

TEST(PackTest, FittedScalesBeatTheExtremes) {
  for (const Drawn& kind : WeightKinds()) {
    std::vector<float> from_range = kind.weights;
    for (size_t from = 0; from < from_range.size(); from += 64) {
      const auto [low, high] = std::minmax_element(kind.weights.begin() + static_cast<int64_t>(from),
                                                   kind.weights.begin() + static_cast<int64_t>(from) + 64);
      const float step = (*high - *low) / 15;
      for (size_t i = from; i < from + 64; ++i) from_range[i] = std::round((from_range[i] - *low) / step) * step + *low;
    }
    EXPECT_LT(ProductError(kind.weights, Decoded(kind.weights, WeightFormat::kInt4, 64)),
              0.98 * ProductError(kind.weights, from_range))
        << kind.name;
  }
}

TEST(PackTest, FloatsAreKeptAsTheyRound) {
  const std::vector<float> weights = DrawnWeights(Gaussian);
  EXPECT_EQ(Decoded(weights, WeightFormat::kFloat32, 0), weights);
  std::vector<float> half = weights, brain = weights;
  for (float& weight : half) weight = HalfToFloat(FloatToHalf(weight));
  for (float& weight : brain) weight = BFloat16ToFloat(FloatToBFloat16(weight));
  EXPECT_EQ(Decoded(weights, WeightFormat::kFloat16, 0), half);
  EXPECT_EQ(Decoded(weights, WeightFormat::kBFloat16, 0), brain);
}

// Parts in any order give the bytes of the whole, at sides that fill neither block nor tile nor group.
TEST(PackTest, PartsMakeTheWhole) {
  const std::vector<float> weights = DrawnWeights(Gaussian);
  for (const WeightFormat format : {WeightFormat::kFloat32, WeightFormat::kBFloat16, WeightFormat::kInt8,
                                    WeightFormat::kInt4}) {
    const PackedLayout layout = PackedLayout::Create(format, 22, 101, HasGroups(format) ? 32 : 0).value();
    std::vector<uint8_t> whole(static_cast<size_t>(layout.bytes()), 1), parts(whole.size(), 2);
    PackRows(layout, weights.data(), 0, 22, whole.data());
    PackRows(layout, weights.data() + 16 * 101, 16, 22, parts.data());
    PackRows(layout, weights.data(), 0, 16, parts.data());
    EXPECT_EQ(whole, parts) << WeightFormatName(format);
  }
}

// What ruins a scale: nothing at all, one value, hardly any spread far from zero, the ends of the range of floats.
TEST(PackTest, StrangeGroupsStayNearTheirWeights) {
  const float largest = std::numeric_limits<float>::max();
  struct Strange {
    float centre, spread, most_error;
  };
  for (const Strange& strange :
       {Strange{0, 0, 0}, Strange{0.3f, 0, 1e-5f}, Strange{-3e-30f, 0, 1e-34f}, Strange{1000, 0.001f, 8.0f},
        Strange{0, 1e-30f, 1e-31f}, Strange{0, 0.25f * largest, 0.05f * largest}, Strange{0, 1e-44f, 1e-43f}}) {
    std::vector<float> weights(kOut * kIn);
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i] = strange.centre + strange.spread * (static_cast<float>(i * 37 % 101) / 50 - 1);
    }
    for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
      const std::vector<float> decoded = Decoded(weights, format, 64);
      float worst = 0;
      for (size_t i = 0; i < weights.size(); ++i) worst = std::max(worst, std::fabs(decoded[i] - weights[i]));
      EXPECT_LE(worst, strange.most_error * (format == WeightFormat::kInt4 ? 4.0f : 1.0f))
          << strange.centre << " " << strange.spread << " " << WeightFormatName(format);
    }
  }
}

TEST(PackTest, TellsWhichFloatsAreHalfNumbers) {
  std::vector<float> weights(100000);
  std::mt19937_64 random(3);
  for (float& weight : weights) weight = HalfToFloat(FloatToHalf(static_cast<float>(0.02 * Gaussian(random))));
  EXPECT_TRUE(FitsFloat16(weights));
  for (const float fits : {0.0f, -0.0f, 65504.0f, 0x1p-24f, 3 * 0x1p-24f, 0x1p-14f, HUGE_VALF, -HUGE_VALF}) {
    EXPECT_TRUE(FitsFloat16({&fits, 1})) << fits;
  }
  for (const float fits_not : {0.1f, 65505.0f, 65536.0f, 0x1p-25f, 1.5f * 0x1p-24f, 0x1p-140f, 1.0f + 0x1p-11f}) {
    EXPECT_FALSE(FitsFloat16({&fits_not, 1})) << fits_not;
    weights[99999] = fits_not;
    EXPECT_FALSE(FitsFloat16(weights)) << fits_not;
  }
  EXPECT_TRUE(FitsFloat16({}));
}

// The converting layers' codes: a row of int8, a group of int4.
TEST(PackTest, RowsOfCodesAreReadBack) {
  const std::vector<float> weights = DrawnWeights(Gaussian);
  for (const size_t count : {size_t{1}, size_t{7}, size_t{64}, size_t{2000}}) {
    std::vector<int8_t> codes(count);
    std::vector<float> decoded(count);
    const float scale = EncodeInt8(weights.data(), count, codes.data());
    DecodeInt8(codes.data(), count, scale, decoded.data());
    for (size_t i = 0; i < count; ++i) EXPECT_NEAR(decoded[i], weights[i], 0.9 * scale);
    std::vector<uint8_t> nibbles(count + 1), packed;
    std::vector<uint16_t> numbers(2);
    EncodeInt4(weights.data(), count, nibbles.data(), numbers.data());
    for (size_t i = 0; i < count; i += 2) packed.push_back(static_cast<uint8_t>(nibbles[i] | nibbles[i + 1] << 4));
    DecodeInt4(packed.data(), count, count, numbers.data(), decoded.data());
    double error = 0, whole = 0;
    for (size_t i = 0; i < count; ++i) {
      error += (decoded[i] - weights[i]) * (decoded[i] - weights[i]), whole += weights[i] * weights[i];
    }
    EXPECT_LE(std::sqrt(error / whole), 0.13) << count;
  }
}

}  // namespace
}  // namespace grym
