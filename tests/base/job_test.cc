#include "grymsynth/job.h"

#include <gtest/gtest.h>

#include <future>
#include <limits>

namespace grym {
namespace {

TEST(JobTest, WaitsForTheEndHoweverLongItMay) {
  for (const double seconds : {-1.0, 60.0, 1e10, 1e300, std::numeric_limits<double>::infinity()}) {
    std::promise<void> go;
    auto job = Job<int>::Start([ready = go.get_future()](const RunOptions&) mutable -> absl::StatusOr<int> {
      ready.wait();
      return 7;
    });
    EXPECT_FALSE(job.WaitFor(0));
    std::thread starter([&] { go.set_value(); });
    EXPECT_TRUE(job.WaitFor(seconds)) << seconds;
    starter.join();
    EXPECT_EQ(*job.Take(), 7);
  }
}

TEST(JobTest, WhatIsNoNumberWaitsNotAtAll) {
  std::promise<void> go;
  auto job = Job<int>::Start([ready = go.get_future()](const RunOptions&) mutable -> absl::StatusOr<int> {
    ready.wait();
    return 7;
  });
  EXPECT_FALSE(job.WaitFor(std::numeric_limits<double>::quiet_NaN()));
  go.set_value();
}

// Its own work would wait for ever.
TEST(JobTest, ItsOwnWorkIsRefusedToWaitForItsEnd) {
  std::promise<Job<int>*> there;
  auto job = Job<int>::Start([ready = there.get_future()](const RunOptions&) mutable -> absl::StatusOr<int> {
    Job<int>* own = ready.get();
    EXPECT_TRUE(own->on_own_thread());
    EXPECT_FALSE(own->WaitFor(-1));
    EXPECT_EQ(own->Take().status().code(), absl::StatusCode::kFailedPrecondition);
    return 7;
  });
  EXPECT_FALSE(job.on_own_thread());
  there.set_value(&job);
  EXPECT_EQ(job.Take().value(), 7);
}

TEST(JobTest, MayBeLetGoOfByItsOwnWork) {
  std::promise<std::unique_ptr<Job<int>>> there;
  std::promise<bool> told;
  auto job = std::make_unique<Job<int>>(
      Job<int>::Start([&told, ready = there.get_future()](const RunOptions& run) mutable -> absl::StatusOr<int> {
        ready.get().reset();
        told.set_value(run.cancel.interrupted());
        return 7;
      }));
  there.set_value(std::move(job));
  EXPECT_TRUE(told.get_future().get());
}

}  // namespace
}  // namespace grym
