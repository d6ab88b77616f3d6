#include "runtime/device_graph.h"

#include <gtest/gtest.h>

#include "runtime/torch_guard.h"

namespace grym {
namespace {

const c10::Device kProcessor(c10::DeviceType::CPU), kGpu(c10::DeviceType::CUDA, 0);

// What a step does: reads a tensor that stays and writes one that stays.
struct Doubling {
  explicit Doubling(c10::Device device)
      : graph(device),
        in(at::zeros({3}, at::TensorOptions().dtype(at::kFloat).device(device))),
        out(at::zeros_like(in)) {}
  float Of(float value) {
    in.fill_(value);
    graph.Run([this] {
      ++calls;
      out.copy_(in * 2);
    });
    return out.sum().item<float>() / 3;
  }
  DeviceGraph graph;
  at::Tensor in, out;
  int calls = 0;
};

TEST(DeviceGraphTest, WithoutOneTheWorkIsPlainlyDone) {
  EXPECT_FALSE(DeviceGraph::Captures(kProcessor));
  const c10::InferenceMode without_gradients;
  Doubling doubling(kProcessor);
  EXPECT_EQ(doubling.Of(1), 2);
  EXPECT_EQ(doubling.Of(5), 10);
  EXPECT_EQ(doubling.calls, 2);
  EXPECT_FALSE(doubling.graph.captured());
  doubling.graph.Reset();
  EXPECT_THROW(doubling.graph.Run([] { TORCH_CHECK(false, "as it came"); }), c10::Error);
}

TEST(DeviceGraphTest, AGpuReplaysWhatWasCaptured) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "NOT RUN: needs a LibTorch with CUDA and a GPU";
  if (!DeviceGraph::Captures(kGpu)) GTEST_SKIP() << "NOT RUN: this build found no CUDA headers, so it captures nothing";
  const c10::InferenceMode without_gradients;
  Doubling doubling(kGpu);
  for (const float value : {1.0f, 5.0f, -3.0f}) EXPECT_EQ(doubling.Of(value), 2 * value);
  EXPECT_EQ(doubling.calls, 3);  // twice to warm up, once to be captured
  EXPECT_TRUE(doubling.graph.captured());
  DeviceGraph moved = std::move(doubling.graph);
  doubling.graph = std::move(moved);
  EXPECT_EQ(doubling.Of(7), 14);
  doubling.graph.Reset();
  EXPECT_EQ(doubling.Of(8), 16);
  EXPECT_EQ(doubling.calls, 6);
  doubling.graph.Reset();
  EXPECT_THROW(doubling.graph.Run([] { TORCH_CHECK(false, "as it came"); }), c10::Error);
  EXPECT_EQ(doubling.Of(9), 18);
}

}  // namespace
}  // namespace grym
