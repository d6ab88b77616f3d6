#include "runtime/memory_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <thread>

#include "base/status.h"
#include "grymsynth/error.h"
#include "runtime/component.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

absl::StatusOr<at::Tensor> Bytes(int64_t count) {
  return TorchGuard("test", [&]() -> absl::StatusOr<at::Tensor> { return at::empty({count}, at::kByte); });
}

MemoryBudget::AskFor Ask(const std::string& who, int64_t bytes) {
  return [=](int64_t) -> absl::StatusOr<LeaseAsk> { return LeaseAsk{who, nullptr, bytes, {}, 0}; };
}

absl::StatusOr<MemoryLease> LeaseOf(const std::shared_ptr<MemoryBudget>& budget, const std::string& who, int64_t bytes,
                                    double most_wait_s = 0, const CancelToken& cancel = {}) {
  return budget->Lease(Ask(who, bytes), {cancel, {}}, most_wait_s);
}

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A lease asked for on another thread. Begun() returns when it has been refused for the first time, and so waits.
class WaitingLease {
 public:
  WaitingLease(std::shared_ptr<MemoryBudget> budget, std::string who, int64_t bytes, double most_wait_s = 60,
               ProgressFn progress = {})
      : thread_([this, budget, who, bytes, most_wait_s, progress] {
          const auto ask = [&](int64_t) -> absl::StatusOr<LeaseAsk> {
            if (++asked_ == 1) begun_.set_value();
            return LeaseAsk{who, nullptr, bytes, {}, 0};
          };
          result_.set_value(budget->Lease(ask, {cancel, progress}, most_wait_s));
        }) {}
  ~WaitingLease() { thread_.join(); }
  void Begun() { begun_.get_future().wait(); }
  absl::StatusOr<MemoryLease> Take() { return result_.get_future().get(); }
  CancelToken cancel;

 private:
  std::promise<void> begun_;
  std::promise<absl::StatusOr<MemoryLease>> result_;
  std::atomic<int> asked_{0};
  std::thread thread_;
};

TEST(MemoryLeaseTest, IsItsOwnersAndNobodyElses) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  MemoryLease first = LeaseOf(budget, "first", 4096).value();
  EXPECT_EQ(budget->free_bytes(), 2304);
  EXPECT_EQ(budget->used_bytes(), 0);
  {
    const BudgetScope scope(budget);  // who has no lease takes of what nobody was promised
    EXPECT_TRUE(Bytes(2304).ok());
    EXPECT_EQ(Bytes(2305).status().code(), absl::StatusCode::kResourceExhausted);
  }
  const BudgetScope scope(first);
  EXPECT_TRUE(Bytes(4096).ok());
  EXPECT_EQ(first.peak_bytes(), 4096);
  {
    const MemoryLease second = LeaseOf(budget, "second", 2304).value();
    const auto refused = Bytes(4097).status();  // what is promised to another is never taken
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("want 4160 bytes more, have 4096 of 6400 left"));
  }
  at::Tensor most = *Bytes(6400);  // a plan that counted too low takes what is free, and then nobody else may
  EXPECT_EQ(budget->free_bytes(), 0);
  EXPECT_EQ(first.peak_bytes(), 6400);
  EXPECT_FALSE(LeaseOf(budget, "second", 1).ok());
  most.reset();
  EXPECT_EQ(budget->free_bytes(), 2304);
  most = *Bytes(5000);
  first.Release();
  EXPECT_EQ(budget->free_bytes(), 6400 - 5056);
  most.reset();
  EXPECT_EQ(budget->free_bytes(), 6400);
}

// By which a caller shows what it is about, and one on Python's main thread hears Ctrl-C.
TEST(MemoryLeaseTest, WhoWaitsTellsSo) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  MemoryLease first = LeaseOf(budget, "first", 6400).value();
  std::promise<std::string> told;
  std::atomic<int> calls{0};
  WaitingLease second(budget, "second", 6400, 60, [&](const Progress& now) {
    EXPECT_EQ(now.fraction, 0);
    if (++calls == 1) told.set_value(now.stage);
    (void)budget->free_bytes();  // under no lock
  });
  EXPECT_EQ(told.get_future().get(), "waiting for memory");
  first.Release();
  EXPECT_TRUE(second.Take().ok());
  const MemoryLease third = LeaseOf(budget, "third", 6400).value();
  CancelToken cancel;
  const auto stop = [&](const Progress&) { cancel.Cancel(); };
  EXPECT_TRUE(absl::IsCancelled(budget->Lease(Ask("fourth", 6400), {cancel, stop}, 60).status()));
}

TEST(MemoryLeaseTest, NobodyWaitsForWhoIsInACallback) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  std::optional<MemoryLease> first = LeaseOf(budget, "first", 6400).value();
  const auto start = Clock::now();
  int calls = 0;
  const auto run_another = [&](const Progress&) {
    if (++calls > 1) return;
    first.reset();
    std::thread([&] { EXPECT_TRUE(LeaseOf(budget, "behind it", 6400, 60).ok()); }).join();
    EXPECT_TRUE(LeaseOf(budget, "its own", 6400, 60).ok());
  };
  EXPECT_TRUE(budget->Lease(Ask("second", 6400), {{}, run_another}, 60).ok());
  EXPECT_EQ(calls, 1);
  EXPECT_LT(SecondsSince(start), 30);
}

TEST(MemoryLeaseTest, WhatOutlivesItIsTheBudgetsOwn) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  at::Tensor kept, passing;
  {
    const MemoryLease lease = LeaseOf(budget, "run", 6400).value();
    const BudgetScope scope(lease);
    kept = *Bytes(1000);
    passing = *Bytes(2000);
    EXPECT_EQ(budget->free_bytes(), 0);
    passing.reset();
    EXPECT_EQ(budget->free_bytes(), 0);  // still promised
  }
  EXPECT_EQ(budget->free_bytes(), 6400 - 1024);
  EXPECT_EQ(budget->used_bytes(), 1024);
  std::thread([&] { kept.reset(); }).join();
  EXPECT_EQ(budget->free_bytes(), 6400);
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(MemoryLeaseTest, IsRefusedWithBothNumbersAndWhoHoldsWhat) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  std::optional<MemoryLease> first = LeaseOf(budget, "first", 700).value();
  const absl::Status refused = LeaseOf(budget, "second", 400).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("second: want 400 bytes on cpu, the budget is 1000, of which 300 are free; first runs with 700"));
  EXPECT_TRUE(LeaseOf(budget, "second", 300).ok());  // the others go on
  EXPECT_FALSE(LeaseOf(budget, "second", 301).ok());
  first.reset();
  EXPECT_TRUE(LeaseOf(budget, "second", 1000).ok());
  EXPECT_FALSE(LeaseOf(budget, "second", 1001, 60).ok());  // at once: no run could give that back
  EXPECT_EQ(budget->peak_bytes(), 0);
}

TEST(MemoryLeaseTest, ManyThreadsNeverHoldMoreThanThereIs) {
  constexpr int64_t kLimit = 1 << 16;
  const auto budget = std::make_shared<MemoryBudget>(kLimit);
  std::atomic<int64_t> held{0}, most{0}, granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const int64_t bytes = (t * 7919 + i * 104729) % kLimit / 64 * 64 + 64;
        const MemoryLease lease = LeaseOf(budget, "run", bytes, 60).value();
        const int64_t now = held += bytes;
        for (int64_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        const BudgetScope scope(lease);
        EXPECT_TRUE(Bytes(bytes).ok());
        ++granted;
        held -= bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, 800);
  EXPECT_LE(most, kLimit);
  EXPECT_EQ(budget->free_bytes(), kLimit);
  EXPECT_LE(budget->peak_bytes(), kLimit);
}

TEST(MemoryLeaseTest, WaitsInTurnUntilItIsGivenBack) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  std::optional<MemoryLease> first = LeaseOf(budget, "first", 1000).value();
  WaitingLease second(budget, "second", 900);
  second.Begun();
  // Would fit beside nothing of the second's, and yet does not overtake it.
  auto third = std::async(std::launch::async, [&] { return LeaseOf(budget, "third", 200, 60); });
  first.reset();
  absl::StatusOr<MemoryLease> granted = second.Take();
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_EQ(granted->bytes(), 900);
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(60)), std::future_status::timeout);
  granted->Release();
  EXPECT_TRUE(third.get().ok());
}

TEST(MemoryLeaseTest, WaitsNoLongerThanStated) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  const MemoryLease first = LeaseOf(budget, "first", 1000).value();
  const Clock::time_point start = Clock::now();
  const absl::Status late = LeaseOf(budget, "second", 1, 0.1).status();
  EXPECT_EQ(ErrorCode(late), "over_budget");
  EXPECT_GE(SecondsSince(start), 0.1);
  EXPECT_THAT(std::string(late.message()), HasSubstr("first runs with 1000"));
}

TEST(MemoryLeaseTest, AWaitIsCancelledWithin50Ms) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  const MemoryLease first = LeaseOf(budget, "first", 1000).value();
  double best_s = 1e9;  // of several: the machine may be busy with other things
  for (int i = 0; i < 10; ++i) {
    WaitingLease second(budget, "second", 1);
    second.Begun();
    const Clock::time_point start = Clock::now();
    second.cancel.Cancel();
    EXPECT_EQ(second.Take().status().code(), absl::StatusCode::kCancelled);
    best_s = std::min(best_s, SecondsSince(start));
  }
  EXPECT_LE(best_s, 0.05);
}

TEST(MemoryLeaseTest, AThreadThatHasOneDoesNotWaitForAnother) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  const MemoryLease first = LeaseOf(budget, "first", 600).value();
  const BudgetScope scope(first);
  EXPECT_TRUE(LeaseOf(budget, "inner", 400, 60).ok());
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(ErrorCode(LeaseOf(budget, "inner", 401, 60).status()), "over_budget");
  EXPECT_LT(SecondsSince(start), 30);
}

TEST(MemoryLeaseTest, AnswersWhatTheAskAnswersAndLeavesTheLine) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  const auto failing = [](int64_t) -> absl::StatusOr<LeaseAsk> { return absl::NotFoundError("no such plan"); };
  EXPECT_EQ(budget->Lease(failing, {}, 60).status().code(), absl::StatusCode::kNotFound);
  const auto throwing = [](int64_t) -> absl::StatusOr<LeaseAsk> { throw std::bad_alloc(); };
  EXPECT_THROW((void)budget->Lease(throwing, {}, 60), std::bad_alloc);
  EXPECT_TRUE(LeaseOf(budget, "next", 1000).ok());
}

// The weights of one of several models on a budget, loaded.
struct Weights {
  Weights(const std::shared_ptr<MemoryBudget>& on, const std::string& name, int64_t bytes)
      : budget(on), component([=](const CancelToken&) { return Loaded(bytes); }, bytes) {
    const BudgetScope scope(budget);
    EXPECT_TRUE(component.Get().ok());
    budget->AddReclaimer(this, name, [this](bool let_go) { return component.Idle(let_go); });
  }
  ~Weights() { budget->RemoveReclaimer(this); }
  static absl::StatusOr<std::shared_ptr<const at::Tensor>> Loaded(int64_t bytes) {
    GRYM_ASSIGN_OR_RETURN(at::Tensor tensor, Bytes(bytes));
    return std::make_shared<const at::Tensor>(std::move(tensor));
  }
  absl::StatusOr<MemoryLease> Run(int64_t bytes) {
    return budget->Lease([&](int64_t) -> absl::StatusOr<LeaseAsk> { return LeaseAsk{"run", this, bytes, {}, 0}; }, {}, 0);
  }
  const std::shared_ptr<MemoryBudget> budget;
  const Component<at::Tensor> component;
};

TEST(MemoryLeaseTest, IdleWeightsGoAsFarAsNeededAndTheLongestRestedFirst) {
  constexpr int64_t kMebibyte = 1 << 20;
  const auto budget = std::make_shared<MemoryBudget>(8 * kMebibyte);
  Weights recent(budget, "recent", 2 * kMebibyte), old(budget, "old", 2 * kMebibyte), busy(budget, "busy", kMebibyte);
  const auto in_use = busy.component.Get().value();
  for (Weights* used : {&old, &recent}) ASSERT_TRUE(used->Run(1).ok());  // whoever runs has rested least
  EXPECT_TRUE(LeaseOf(budget, "small", 3 * kMebibyte)->evicted().empty());
  EXPECT_EQ(ErrorCode(LeaseOf(budget, "large", 7 * kMebibyte + 1).status()), "over_budget");
  EXPECT_TRUE(old.component.loaded() && recent.component.loaded());  // all of them would not have been enough
  EXPECT_THAT(LeaseOf(budget, "middle", 4 * kMebibyte)->evicted(), ElementsAre("evicted idle model old: 2.0 MiB"));
  EXPECT_FALSE(old.component.loaded());
  EXPECT_TRUE(recent.component.loaded() && busy.component.loaded());

  Weights own(budget, "own", 2 * kMebibyte);
  const auto lease = own.Run(5 * kMebibyte);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_FALSE(own.component.loaded());  // what the asker itself does not count on goes first
  EXPECT_TRUE(recent.component.loaded());
  EXPECT_THAT(lease->evicted(), ElementsAre("evicted idle model own: 2.0 MiB"));
}

TEST(MemoryLeaseTest, NothingIsEvictedForWhatMustWaitAnyway) {
  const auto budget = std::make_shared<MemoryBudget>(6400);
  Weights idle(budget, "idle", 640);
  std::optional<MemoryLease> first = LeaseOf(budget, "first", 5000).value();
  EXPECT_FALSE(LeaseOf(budget, "second", 3000).ok());
  EXPECT_TRUE(idle.component.loaded());
  first.reset();
  EXPECT_TRUE(LeaseOf(budget, "second", 3000).ok());
  EXPECT_TRUE(idle.component.loaded());
}

// Each holds on to loaded weights and wants what the other holds on to: who waits lets go of them.
TEST(MemoryLeaseTest, TwoThatWantWhatTheOtherCountsOnBothEnd) {
  const auto budget = std::make_shared<MemoryBudget>(64 * 100);
  Weights mine(budget, "mine", 64 * 40), yours(budget, "yours", 64 * 40);
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (Weights* used : {&mine, &yours}) {
    threads.emplace_back([&, used] {
      const auto ask = [&](int64_t) -> absl::StatusOr<LeaseAsk> {
        LeaseAsk wanted{"run", used, 64 * 100, {}, 0};
        used->component.Claim(wanted);
        return wanted;
      };
      const auto lease = budget->Lease(ask, {}, 30);
      EXPECT_TRUE(lease.ok()) << lease.status();
      done += lease.ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 2);
}

// Counts as a device does, that knows sums alone.
class FakeMemory final : public DeviceMemory {
 public:
  struct Numbers {
    int64_t allocated = 0, peak = 0, limit = 0;
  };
  explicit FakeMemory(std::shared_ptr<Numbers> numbers) : numbers_(std::move(numbers)) {}
  int64_t allocated_bytes() const override { return numbers_->allocated; }
  int64_t peak_bytes() const override { return numbers_->peak; }
  void ResetPeak() override { numbers_->peak = numbers_->allocated; }
  void SetLimit(int64_t bytes) override { numbers_->limit = bytes; }
  bool limits() const override { return true; }

 private:
  const std::shared_ptr<Numbers> numbers_;
};

TEST(MemoryLeaseTest, WhereADeviceCountsNothingIsPromisedTwice) {
  const auto numbers = std::make_shared<FakeMemory::Numbers>();
  const auto budget = std::make_shared<MemoryBudget>(1000, "cuda:0", std::make_unique<FakeMemory>(numbers));
  EXPECT_STREQ(budget->enforced_by(), "device allocator");
  EXPECT_EQ(numbers->limit, 1000);
  budget->SetLimit(900);
  EXPECT_EQ(numbers->limit, 900);
  numbers->allocated = 100;  // the host's own tensors, too
  EXPECT_EQ(budget->free_bytes(), 800);
  std::optional<MemoryLease> first = LeaseOf(budget, "first", 300).value();
  numbers->allocated = 350;  // 250 of the lease
  EXPECT_EQ(budget->free_bytes(), 500);
  std::optional<MemoryLease> second = LeaseOf(budget, "second", 400).value();
  numbers->allocated = 450;
  EXPECT_EQ(budget->free_bytes(), 100);
  first.reset();  // whose 250 may all have stayed, as far as the device can tell
  EXPECT_EQ(budget->free_bytes(), 900 - 400 - 400);
  numbers->allocated = 150;
  second.reset();  // nothing runs: exact again
  EXPECT_EQ(budget->free_bytes(), 750);
  EXPECT_EQ(budget->used_bytes(), 150);
  {
    const BudgetScope scope(budget);  // what lies on the CPU is not the device's
    EXPECT_TRUE(Bytes(5000).ok());
    EXPECT_EQ(budget->used_bytes(), 150);
  }
  EXPECT_STREQ(std::make_shared<MemoryBudget>(1000, "cuda:0")->enforced_by(), "not counted");
  EXPECT_STREQ(std::make_shared<MemoryBudget>(1000)->enforced_by(), "allocator");
}

}  // namespace
}  // namespace grym
