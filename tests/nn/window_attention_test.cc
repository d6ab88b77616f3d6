#include "nn/window_attention.h"

#include <gtest/gtest.h>

#include "nn/attention.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

struct WindowCase {
  int64_t windows, tokens, heads, dim, biases;
};

TEST(WindowAttentionTest, EqualsTheOperatorsInDouble) {
  at::Generator generator = SeededGenerator(1);
  for (const WindowCase& c : {WindowCase{1, 64, 1, 8, 1}, WindowCase{6, 64, 4, 24, 3}, WindowCase{4, 192, 2, 64, 1},
                              WindowCase{2, 256, 3, 40, 2}}) {
    ASSERT_TRUE(CanAttendWindows(c.tokens, c.dim));
    const int64_t width = c.heads * c.dim;
    const at::Tensor projected = Noise({c.windows, c.tokens, 3 * width}, generator);
    const at::Tensor shift = Noise({3 * width}, generator);
    at::Tensor bias = Noise({c.biases, c.heads, c.tokens, c.tokens}, generator);
    bias.select(2, 1).narrow(2, 3, 9).fill_(-100);  // as masks are
    for (const bool shifted : {true, false}) {
      const at::Tensor all = (shifted ? projected.to(at::kDouble) + shift.to(at::kDouble) : projected.to(at::kDouble));
      const at::Tensor exact =
          Attention(all.narrow(2, 0, width), all.narrow(2, width, width), all.narrow(2, 2 * width, width), c.heads,
                    bias.to(at::kDouble).repeat({c.windows / c.biases, 1, 1, 1}));
      at::Tensor out = at::full({c.windows, c.tokens, width}, 7, projected.options());
      AttendWindows(projected, shifted ? shift : at::Tensor(), bias, c.heads, out);
      EXPECT_LT(testing::DistanceOf(out, exact).max_relative_error, 1e-5) << c.tokens << " " << c.dim;
    }
  }
}

TEST(WindowAttentionTest, LargeScoresOverflowNothing) {
  at::Generator generator = SeededGenerator(2);
  const at::Tensor projected = Noise({1, 64, 48}, generator) * 100;
  const at::Tensor bias = at::zeros({1, 2, 64, 64});
  at::Tensor out = at::empty({1, 64, 16}, projected.options());
  AttendWindows(projected, at::Tensor(), bias, 2, out);
  const at::Tensor all = projected.to(at::kDouble);
  const at::Tensor exact = Attention(all.narrow(2, 0, 16), all.narrow(2, 16, 16), all.narrow(2, 32, 16), 2);
  EXPECT_LT(testing::DistanceOf(out, exact).max_relative_error, 1e-2);  // scores of 1e5 have steps of 0.008
  EXPECT_TRUE(at::isfinite(out).all().item<bool>());
}

TEST(WindowAttentionTest, SaysWhatItCannot) {
  EXPECT_FALSE(CanAttendWindows(49, 24));
  EXPECT_FALSE(CanAttendWindows(320, 24));
  EXPECT_FALSE(CanAttendWindows(64, 20));
  EXPECT_FALSE(CanAttendWindows(64, 72));
}

}  // namespace
}  // namespace grym
