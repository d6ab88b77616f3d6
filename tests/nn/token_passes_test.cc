#include "nn/token_passes.h"

#include <gtest/gtest.h>

#include "runtime/seeded_noise.h"

namespace grym {
namespace {

struct TokenCase {
  int64_t rows, dim;
};

LayerNorm SomeNorm(int64_t dim, at::Generator& generator) {
  return {Noise({dim}, generator), Noise({dim}, generator), 1e-5};
}
at::Tensor NormedInDouble(const LayerNorm& norm, const at::Tensor& x) {
  return at::layer_norm(x, {x.size(1)}, norm.weight.to(at::kDouble), norm.bias.to(at::kDouble), norm.epsilon);
}
double MostAway(const at::Tensor& made, const at::Tensor& exact) {
  return at::abs(made.to(at::kDouble) - exact).max().item<double>();
}

TEST(TokenPassesTest, GatheredRowsAreNormedSideBySide) {
  at::Generator generator = SeededGenerator(1);
  for (const TokenCase& c : {TokenCase{5, 8}, TokenCase{40, 96}, TokenCase{33, 768}}) {
    const at::Tensor x = Noise({c.rows, c.dim}, generator) + 3;
    const at::Tensor zeros = at::zeros({1, c.dim}, at::kDouble), padded = at::cat({x.to(at::kDouble), zeros});
    for (const int64_t parts : {1, 4}) {
      // In no order, and the first of them behind the end: a row of zeros alone, or one fourth of zeros.
      at::Tensor index = at::arange(0, 4 * parts, at::TensorOptions().dtype(at::kLong));
      index = (index * 3 + c.rows).remainder(c.rows + 1);
      const LayerNorm norm = SomeNorm(parts * c.dim, generator);
      at::Tensor out = at::full({4, parts * c.dim}, 7, x.options());
      NormGathered(norm, x, index, parts, out);
      at::Tensor exact = NormedInDouble(norm, padded.index_select(0, index).view({4, parts * c.dim}));
      for (int64_t row = 0; row < 4 && parts == 1; ++row) {
        if (index[row].item<int64_t>() == c.rows) exact.select(0, row).zero_();
      }
      EXPECT_LT(MostAway(out, exact), 1e-5) << c.dim << " " << parts;
    }
  }
}

TEST(TokenPassesTest, RowsAreAddedNormedAndAddedToAgain) {
  at::Generator generator = SeededGenerator(2);
  const int64_t rows = 21, dim = 48;
  const LayerNorm norm = SomeNorm(dim, generator);
  const at::Tensor addend = Noise({rows + 9, dim}, generator), shift = Noise({dim}, generator);
  const at::Tensor later = Noise({dim}, generator);
  const at::Tensor index = at::arange(0, rows, at::TensorOptions().dtype(at::kLong)).mul(7).remainder(rows + 9);
  for (const bool optional : {false, true}) {
    at::Tensor x = Noise({rows, dim}, generator), out = at::empty_like(x);
    at::Tensor exact = x.to(at::kDouble) + addend.index_select(0, index).to(at::kDouble);
    if (!optional) exact += shift.to(at::kDouble);
    AddGatheredAndNorm(addend, index, optional ? at::Tensor() : shift, norm, optional ? at::Tensor() : later, x, out);
    EXPECT_LT(MostAway(out, NormedInDouble(norm, exact)), 1e-5);
    EXPECT_LT(MostAway(x, optional ? exact : exact + later.to(at::kDouble)), 2e-6);
  }
}

TEST(TokenPassesTest, GeluIsExactToItsBoundFromEndToEnd) {
  const at::Tensor line = at::arange(-30.0, 30.0, 0.01, at::TensorOptions().dtype(at::kFloat));
  const int64_t rows = line.size(0) / 8;
  const at::Tensor shift = at::tensor({0.0f, 0.5f, -1.0f, 3.0f, 1e-8f, -100.0f, 100.0f, 0.25f});
  at::Tensor x = line.narrow(0, 0, rows * 8).view({rows, 8}).clone();
  const at::Tensor exact = at::gelu((x + shift).to(at::kDouble));
  at::Tensor plain = x.clone();
  ShiftedGelu(shift, x);
  EXPECT_LT(MostAway(x.narrow(1, 0, 5), exact.narrow(1, 0, 5)), 1e-6);
  EXPECT_LT(MostAway(x, exact), 1e-5);  // of values about 130
  ShiftedGelu(at::Tensor(), plain);
  EXPECT_LT(MostAway(plain.slice(0, rows / 3, rows * 2 / 3),
                     at::gelu(line.narrow(0, 0, rows * 8).view({rows, 8}).to(at::kDouble))
                         .slice(0, rows / 3, rows * 2 / 3)), 1e-6);
}

}  // namespace
}  // namespace grym
