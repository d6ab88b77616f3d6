#include "nn/conv.h"

#include "gtest/gtest.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

struct Conv1dCase {
  int64_t in, out, kernel, stride, padding, dilation, groups;
};

TEST(ConvTest, Conv1dAnswersAsLibTorchsOwnInEveryLayout) {
  at::Generator generator = SeededGenerator(1);
  for (const Conv1dCase& c : {Conv1dCase{3, 8, 5, 1, 2, 1, 1}, Conv1dCase{8, 8, 3, 2, 0, 1, 1},
                              Conv1dCase{8, 12, 4, 1, 6, 3, 4}, Conv1dCase{1, 6, 7, 3, 3, 1, 1},
                              Conv1dCase{16, 16, 1, 1, 0, 1, 1}}) {
    Conv1d conv;
    const at::Tensor weight = Noise({c.out, c.in / c.groups, c.kernel}, generator);
    conv.weight = AsChannelsLast(weight);
    conv.bias = Noise({c.out}, generator);
    conv.stride = c.stride, conv.padding = c.padding, conv.dilation = c.dilation, conv.groups = c.groups;
    const at::Tensor first = Noise({2, c.in, 50}, generator);
    const at::Tensor last = first.transpose(1, 2).contiguous().transpose(1, 2);
    const at::Tensor want = at::conv1d(first, weight, conv.bias, c.stride, c.padding, c.dilation, c.groups);
    for (const at::Tensor& x : {first, last}) {
      const at::Tensor got = conv(x);
      ASSERT_EQ(got.sizes(), want.sizes());
      testing::ExpectSameStage("conv1d", got, want);
    }
    conv.weight = weight;  // as nobody arranged it
    testing::ExpectSameStage("conv1d", conv(first), want);
  }
}

}  // namespace
}  // namespace grym
