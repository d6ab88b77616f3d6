#include "runtime/memory_budget.h"

#include <thread>

#include "gtest/gtest.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

absl::StatusOr<at::Tensor> Floats(int64_t count) {
  return TorchGuard("test", [&]() -> absl::StatusOr<at::Tensor> { return at::empty({count}, at::kFloat); });
}

TEST(MemoryBudgetTest, CountsTensorsUntilTheyAreFreedOnAnyThread) {
  const auto budget = std::make_shared<MemoryBudget>(1 << 20);
  at::Tensor kept;
  {
    const BudgetScope scope(budget);
    kept = *Floats(1000);
    EXPECT_EQ(budget->used_bytes(), AllocatedBytes(4000));
    { const at::Tensor passing = *Floats(10000); }
    EXPECT_EQ(budget->used_bytes(), AllocatedBytes(4000));
    EXPECT_EQ(budget->peak_bytes(), AllocatedBytes(4000) + AllocatedBytes(40000));
  }
  const at::Tensor outside = *Floats(5000);
  EXPECT_EQ(budget->used_bytes(), AllocatedBytes(4000));
  std::thread([&] { kept.reset(); }).join();
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(MemoryBudgetTest, RefusesOneByteTooManyAndTakesThatMany) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  const BudgetScope scope(budget);
  EXPECT_TRUE(Floats(1600).ok());
  budget->SetLimit(6399);
  const auto refused = Floats(1600);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("want 6400 bytes more, have 6399 of 6399 left"), std::string::npos)
      << refused.status();
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(MemoryBudgetTest, ScopesNestAndKnowTheirOwn) {
  const auto outer = std::make_shared<MemoryBudget>(1 << 20);
  const auto inner = std::make_shared<MemoryBudget>(1 << 20);
  const BudgetScope first(outer);
  const at::Tensor a = *Floats(16);
  {
    const BudgetScope second(inner);
    const at::Tensor b = *Floats(32);
    EXPECT_EQ(inner->used_bytes(), 128);
  }
  const at::Tensor c = *Floats(48);
  EXPECT_EQ(inner->used_bytes(), 0);
  EXPECT_EQ(outer->used_bytes(), 64 + 192);
}

TEST(MemoryBudgetTest, WhatOperatorsTakeIsCountedToo) {
  const auto budget = std::make_shared<MemoryBudget>(int64_t{64} << 20);
  const BudgetScope scope(budget);
  const at::Tensor a = *Floats(1 << 20), b = *Floats(1 << 20);
  budget->ResetPeak();
  const at::Tensor sum = a + b;
  EXPECT_EQ(budget->peak_bytes(), int64_t{12} << 20);
}

}  // namespace
}  // namespace grym
