#include "runtime/host_scope.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "grymsynth/error.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/host_callback.h"

namespace grym {
namespace {

constexpr int64_t kLimit = 4096;

at::Tensor BytesOf(int64_t count) { return at::empty({count}, at::kByte); }

absl::StatusOr<MemoryLease> AllOf(const std::shared_ptr<MemoryBudget>& budget, double most_wait_s) {
  const auto ask = [](int64_t) -> absl::StatusOr<LeaseAsk> { return LeaseAsk{"test", nullptr, kLimit, {}, 0}; };
  return budget->Lease(ask, {}, most_wait_s);
}

// A session's work: tells once inside its lease and guard.
absl::Status RunOnce(const std::shared_ptr<MemoryBudget>& budget, const RunOptions& given) {
  const RunOptions run = ForHost(given);
  const HostScope* const around = HostScope::Innermost();
  auto lease = AllOf(budget, 0);
  if (!lease.ok()) return lease.status();
  const BudgetScope scope(*lease);
  return TorchGuard("test", [&]() -> absl::Status {
    const at::Tensor before = BytesOf(64);
    if (run.progress) run.progress({0.5, -1, "work"});
    EXPECT_EQ(BudgetScope::Current().lease, lease->account().lease);
    EXPECT_TRUE(c10::InferenceMode::is_enabled());
    EXPECT_EQ(HostScope::Innermost(), around);
    const at::Tensor after = BytesOf(64);
    EXPECT_EQ(budget->used_bytes(), 128);
    return absl::OkStatus();
  });
}

TEST(HostScopeTest, WhatACallbackKeepsIsTheHostsAndNoPartOfTheRun) {
  const auto budget = std::make_shared<MemoryBudget>(kLimit);
  at::Tensor kept;
  RunOptions run;
  run.progress = [&](const Progress& now) {
    EXPECT_EQ(now.stage, "work");
    EXPECT_TRUE(testing::IsTheHostsOwn());
    kept = BytesOf(100 * kLimit);
    EXPECT_EQ(budget->used_bytes(), 64);
  };
  EXPECT_TRUE(RunOnce(budget, run).ok());
  ASSERT_TRUE(kept.defined());
  EXPECT_FALSE(kept.is_inference());
  EXPECT_EQ(budget->used_bytes(), 0);
  EXPECT_TRUE(RunOnce(budget, {}).ok());
}

TEST(HostScopeTest, TheCallersModeHoldsInTheCallback) {
  const auto budget = std::make_shared<MemoryBudget>(kLimit);
  std::optional<c10::AutogradState> seen;
  RunOptions run;
  run.progress = [&](const Progress&) { seen = c10::AutogradState::get_tls_state(); };
  EXPECT_TRUE(RunOnce(budget, run).ok());
  EXPECT_TRUE(seen->get_grad_mode());
  EXPECT_FALSE(seen->get_inference_mode());
  {
    c10::InferenceMode inference;
    EXPECT_TRUE(RunOnce(budget, run).ok());
    EXPECT_TRUE(seen->get_inference_mode());
  }
  c10::AutogradState without_gradients = c10::AutogradState::get_tls_state();
  const c10::AutogradState before = without_gradients;
  without_gradients.set_grad_mode(false);
  c10::AutogradState::set_tls_state(without_gradients);
  EXPECT_TRUE(RunOnce(budget, run).ok());
  EXPECT_FALSE(seen->get_grad_mode());
  EXPECT_FALSE(seen->get_inference_mode());
  c10::AutogradState::set_tls_state(before);
}

// It would wait for what only its own caller can give back.
// torch.autocast around a call is not about our products, and still holds in what the host does in a callback.
TEST(HostScopeTest, TheCallersAutocastingHoldsInTheCallbackAlone) {
  const at::Tensor x = at::ones({2, 3});
  const auto type = [&] { return at::mm(x, x.t()).scalar_type(); };
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  EXPECT_EQ(type(), at::kBFloat16);
  RunOptions run;
  c10::ScalarType in_callback = at::kFloat;
  run.progress = [&](const Progress&) { in_callback = type(); };
  const RunOptions told = ForHost(run);
  EXPECT_TRUE(TorchGuard("test", [&]() -> absl::Status {
                EXPECT_EQ(type(), at::kFloat);
                told.progress({0.5, -1, "work"});
                EXPECT_EQ(type(), at::kFloat);
                EXPECT_TRUE(c10::InferenceMode::is_enabled());
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(in_callback, at::kBFloat16);
  EXPECT_EQ(type(), at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_EQ(type(), at::kFloat);
}

TEST(HostScopeTest, ARunWithinACallbackDoesNotWaitForTheRunAround) {
  const auto budget = std::make_shared<MemoryBudget>(kLimit), other = std::make_shared<MemoryBudget>(kLimit);
  int calls = 0;
  RunOptions run;
  run.progress = [&](const Progress&) {
    RunOptions inner;
    inner.progress = [&](const Progress&) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_EQ(ErrorCode(AllOf(budget, 60).status()), "over_budget");
      EXPECT_EQ(ErrorCode(AllOf(other, 60).status()), "over_budget");
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
      ++calls;
    };
    EXPECT_TRUE(RunOnce(other, inner).ok());
    EXPECT_EQ(other->used_bytes(), 0);
  };
  EXPECT_TRUE(RunOnce(budget, run).ok());
  EXPECT_EQ(calls, 1);
}

TEST(HostScopeTest, WithoutACallbackThereIsNothingToTell) {
  const RunOptions run;
  EXPECT_FALSE(ForHost(run).progress);
  RunOptions cancelled;
  cancelled.progress = [](const Progress&) {};
  const RunOptions told = ForHost(cancelled);
  cancelled.cancel.Cancel();
  EXPECT_TRUE(told.cancel.cancelled());  // one token
}

}  // namespace
}  // namespace grym
