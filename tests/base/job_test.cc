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

}  // namespace
}  // namespace grym
