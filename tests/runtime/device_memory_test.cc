#include "runtime/device_memory.h"

#include <gtest/gtest.h>

#include "runtime/torch_guard.h"

namespace grym {
namespace {

TEST(DeviceMemoryTest, TheCpuHasNone) {
  EXPECT_EQ(NewDeviceMemory(c10::Device(c10::DeviceType::CPU)), nullptr);
  if (!at::globalContext().hasCUDA()) {
    EXPECT_EQ(NewDeviceMemory(c10::Device(c10::DeviceType::CUDA, 0)), nullptr);
  }
}

TEST(DeviceMemoryTest, AGpuCountsAndKeepsToItsLimit) {
  const c10::Device gpu(c10::DeviceType::CUDA, 0);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{64} << 20, gpu.str(), NewDeviceMemory(gpu));
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "NOT RUN: needs a LibTorch with CUDA and a GPU";
  if (!HasDeviceLimit()) GTEST_SKIP() << "NOT RUN: this build found no CUDA headers, so it cannot bound the allocator";
  EXPECT_STREQ(budget->enforced_by(), "device allocator");
  const int64_t before = budget->used_bytes();
  const auto floats = [&](int64_t bytes) {
    return TorchGuard("test", [&]() -> absl::StatusOr<at::Tensor> {
      return at::empty({bytes / 4}, at::TensorOptions().dtype(at::kFloat).device(gpu));
    });
  };
  const auto kept = floats(int64_t{32} << 20);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(budget->used_bytes() - before, int64_t{32} << 20);
  EXPECT_GE(budget->peak_bytes(), int64_t{32} << 20);
  EXPECT_EQ(floats(int64_t{64} << 20).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace grym
