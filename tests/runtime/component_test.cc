#include "runtime/component.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

namespace grym {
namespace {

using Numbers = std::vector<int>;
using Answer = absl::StatusOr<std::shared_ptr<const Numbers>>;

Answer Loaded() { return std::make_shared<const Numbers>(Numbers{1, 2, 3}); }

// A load that begins and then waits for a word.
struct SlowLoad {
  std::promise<void> begun;
  std::promise<Answer> answer;
  std::atomic<int> loads{0};
  std::unique_ptr<Component<Numbers>> component = std::make_unique<Component<Numbers>>(
      [this](const CancelToken&) -> Answer {
        if (++loads > 1) return Loaded();
        begun.set_value();
        return answer.get_future().get();
      },
      100);
};

TEST(ComponentTest, IsLoadedOnceAndSharedAndTellsItsBytes) {
  int loads = 0;
  const Component<Numbers> component([&](const CancelToken&) { return ++loads, Loaded(); }, 100);
  EXPECT_FALSE(component.loaded());
  EXPECT_EQ(component.Idle(true), 0);
  LeaseAsk nothing;
  nothing.bytes = 500;
  component.Claim(nothing);
  EXPECT_EQ(nothing.bytes, 500);
  const auto first = component.Get().value();
  EXPECT_EQ(component.Get().value(), first);
  EXPECT_EQ(loads, 1);
  EXPECT_NE(component.LoadOwn().value(), first);
  EXPECT_EQ(component.Get().value(), first);
}

TEST(ComponentTest, GoesWhenItIsIdleAndNotBefore) {
  const Component<Numbers> component([](const CancelToken&) { return Loaded(); }, 100);
  std::shared_ptr<const Numbers> in_use = component.Get().value();
  EXPECT_EQ(component.Idle(true), 0);
  EXPECT_TRUE(component.loaded());
  in_use.reset();
  EXPECT_EQ(component.Idle(false), 100);
  EXPECT_TRUE(component.loaded());
  {
    LeaseAsk claimed;
    claimed.bytes = 500;
    component.Claim(claimed);
    EXPECT_EQ(claimed.bytes, 400);
    EXPECT_EQ(claimed.held_bytes, 100);
    EXPECT_EQ(component.Idle(true), 0);  // a run counts on it
  }
  EXPECT_EQ(component.Idle(true), 100);
  EXPECT_FALSE(component.loaded());
}

TEST(ComponentTest, WhoWaitsForALoadIsCancelledAndWhoReclaimsDoesNotWait) {
  SlowLoad slow;
  auto loader = std::async(std::launch::async, [&] { return slow.component->Get(); });
  slow.begun.get_future().wait();
  CancelToken cancel;
  auto waiter = std::async(std::launch::async, [&] { return slow.component->Get(cancel); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_EQ(slow.component->Idle(true), 0);  // while both are at it
  EXPECT_FALSE(slow.component->loaded());
  cancel.Cancel();
  EXPECT_EQ(waiter.get().status().code(), absl::StatusCode::kCancelled);
  slow.answer.set_value(Loaded());
  EXPECT_TRUE(loader.get().ok());
  EXPECT_TRUE(slow.component->loaded());
}

TEST(ComponentTest, WhereALoadFailsWhoWaitedLoadsItself) {
  SlowLoad slow;
  auto loader = std::async(std::launch::async, [&] { return slow.component->Get(); });
  slow.begun.get_future().wait();
  auto waiter = std::async(std::launch::async, [&] { return slow.component->Get(); });
  slow.answer.set_value(absl::CancelledError());
  EXPECT_EQ(loader.get().status().code(), absl::StatusCode::kCancelled);
  const auto got = waiter.get();
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(slow.loads, 2);
}

TEST(ComponentTest, ALoadThatThrowsLeavesItAsItWas) {
  int loads = 0;
  const Component<Numbers> component(
      [&](const CancelToken&) -> Answer {
        if (++loads == 1) throw std::runtime_error("no");
        return Loaded();
      },
      100);
  EXPECT_THROW((void)component.Get(), std::runtime_error);
  EXPECT_FALSE(component.loaded());
  EXPECT_TRUE(component.Get().ok());
}

}  // namespace
}  // namespace grym
