#include "runtime/device.h"

#include "gtest/gtest.h"

namespace grym {
namespace {

// Without OpenMP in the rooms' flags at::parallel_for is a plain loop and says nothing: a model on half its speed.
TEST(DeviceTest, OwnLoopsRunOnAllThreads) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    EXPECT_EQ(LoopThreads(), threads);
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace grym
