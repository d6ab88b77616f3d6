#include "models/unet/step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/torch_guard.h"
#include "support/peer.h"
#include "support/peer_unet.h"

namespace grym {
namespace {

at::Tensor Counted(at::IntArrayRef shape, double scale) {
  const int64_t count = c10::multiply_integers(shape);
  return at::arange(count, at::TensorOptions().dtype(at::kFloat)).mul_(scale).sin_().view(shape);
}

// Steps in and out of order, and windows of another length between them.
struct Walk {
  explicit Walk(const Unet& network) : unet(network) {
    const int64_t bins = 16;
    for (const int64_t frames : {12, 12, 9, 12})
      inputs.push_back(Counted({2, unet.config().in_channels, frames, bins}, 0.37));
    conditions = unet.Conditions({900.0, 500.0, 100.0}, Counted({2, unet.config().class_dim}, 0.11), 2).value();
  }
  absl::StatusOr<std::vector<at::Tensor>> Of(UnetStep& step) const {
    return TorchGuard("unet", [&]() -> absl::StatusOr<std::vector<at::Tensor>> {
      std::vector<at::Tensor> answers;
      const int64_t steps[] = {0, 1, 1, 2};
      for (size_t i = 0; i < inputs.size(); ++i) {
        auto answer = step(inputs[i].to(unet.device()), steps[i], {});
        if (!answer.ok()) return answer.status();
        answers.push_back(*std::move(answer));
      }
      for (at::Tensor& answer : answers) answer = answer.to(at::kCPU);  // none of them was written to by a later step
      return answers;
    });
  }
  const Unet& unet;
  std::vector<at::Tensor> inputs;
  UnetConditions conditions;
};

TEST(UnetStepTest, OnTensorsThatStayItAnswersTheSame) {
  GRYM_NEED_PEER();
  const c10::InferenceMode without_gradients;
  const auto unet = testing::LoadUnet(testing::PeerCheckpoint("audioldm-tiny"));
  ASSERT_TRUE(unet);
  const Walk walk(*unet);
  UnetStep plain(*unet, walk.conditions), staying(*unet, walk.conditions, /*captures=*/true);
  const auto want = walk.Of(plain), got = walk.Of(staying);
  ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
  for (size_t i = 0; i < want->size(); ++i) {
    EXPECT_EQ((*got)[i].scalar_type(), at::kFloat);
    EXPECT_TRUE((*want)[i].equal((*got)[i])) << i;
  }
  EXPECT_FALSE((*want)[0].equal((*want)[1]));  // of other times
  CancelToken cancel;
  cancel.Cancel();
  for (UnetStep* step : {&plain, &staying}) EXPECT_TRUE(absl::IsCancelled((*step)(walk.inputs[0], 0, cancel).status()));
}

TEST(UnetStepTest, AGpuReplaysTheStep) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "NOT RUN: needs a LibTorch with CUDA and a GPU";
  GRYM_NEED_PEER();
  const c10::Device gpu(c10::DeviceType::CUDA, 0);
  if (!DeviceGraph::Captures(gpu)) GTEST_SKIP() << "NOT RUN: this build found no CUDA headers, so it captures nothing";
  const c10::InferenceMode without_gradients;
  const auto unet = testing::LoadUnet(testing::PeerCheckpoint("audioldm-tiny"), Precision::kFloat32, false, gpu);
  ASSERT_TRUE(unet);
  const Walk walk(*unet);
  UnetStep plain(*unet, walk.conditions, /*captures=*/false), replayed(*unet, walk.conditions);
  const auto want = walk.Of(plain), got = walk.Of(replayed);
  ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
  // Libraries may pick other kernels at another call.
  for (size_t i = 0; i < want->size(); ++i) {
    const float most = (*want)[i].abs().max().item<float>();
    EXPECT_LT(at::sub((*want)[i], (*got)[i]).abs().max().item<float>(), 1e-4f * most) << i;
  }
}

}  // namespace
}  // namespace grym
