#include "base/handover.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "base/latest.h"

namespace grym {
namespace {

TEST(HandoverTest, KeepsOrderAndRefusesWhenFull) {
  Handover<int> queue(3);
  std::array<int, 2> out{};
  EXPECT_EQ(queue.Take(out), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.Give(i));
  EXPECT_FALSE(queue.Give(3));
  EXPECT_EQ(queue.Take(out), 2u);
  EXPECT_EQ(out, (std::array<int, 2>{0, 1}));
  EXPECT_TRUE(queue.Give(4));
  EXPECT_EQ(queue.Take(out), 2u);
  EXPECT_EQ(out, (std::array<int, 2>{2, 4}));
}

TEST(HandoverTest, NothingIsLostBetweenThreads) {
  constexpr int kItems = 20000;
  Handover<int> queue(64);
  std::thread giver([&] {
    for (int i = 0; i < kItems;) {
      if (queue.Give(i)) ++i;
      else std::this_thread::yield();
    }
  });
  std::array<int, 10> out{};
  for (int next = 0; next < kItems;) {
    const size_t count = queue.Take(out);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], next++);
    if (count == 0) std::this_thread::yield();
  }
  giver.join();
}

TEST(LatestTest, IsWholeAndNeverGoesBack) {
  struct Pair {
    int64_t a = 0, b = 0;
  };
  constexpr int64_t kWrites = 20000;
  Latest<Pair> latest;
  EXPECT_EQ(latest.Read().a, 0);
  std::thread writer([&] {
    for (int64_t i = 1; i <= kWrites; ++i) latest.Write({i, -i});
  });
  for (int64_t before = 0; before < kWrites;) {
    const Pair now = latest.Read();
    ASSERT_EQ(now.a, -now.b);
    ASSERT_GE(now.a, before);
    before = now.a;
  }
  writer.join();
  EXPECT_EQ(latest.Read().a, kWrites);
}

}  // namespace
}  // namespace grym
