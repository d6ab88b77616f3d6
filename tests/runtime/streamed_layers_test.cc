#include "runtime/streamed_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kLayerBytes = 6400;
const c10::Device kCpu(c10::DeviceType::CPU);

StreamedLayers<at::Tensor> Numbered(int64_t count) {
  return {count, kCpu, [](int64_t index, const CancelToken&) -> absl::StatusOr<at::Tensor> {
            return at::full({kLayerBytes / 4}, static_cast<float>(index), at::kFloat);
          }};
}

absl::StatusOr<std::vector<int>> Pass(const StreamedLayers<at::Tensor>& layers) {
  std::vector<int> seen;
  const absl::Status status = layers.ForEach({}, [&](const at::Tensor& layer) -> absl::Status {
    seen.push_back(static_cast<int>(layer.const_data_ptr<float>()[kLayerBytes / 4 - 1]));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return seen;
}

TEST(StreamedLayersTest, GivesEveryLayerInTurnAndAgain) {
  for (const int64_t count : {0, 1, 2, 7}) {
    const auto layers = Numbered(count);
    for (int pass = 0; pass < 3; ++pass) {
      const auto seen = Pass(layers).value();
      ASSERT_EQ(static_cast<int64_t>(seen.size()), count);
      for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int>(i));
    }
  }
}

// Each layer is at work until the next one has been read, or cannot be.
absl::Status SlowPass(int64_t count) {
  std::atomic<int64_t> tried{0};
  struct Try {
    std::atomic<int64_t>& tried;
    ~Try() { ++tried; }
  };
  const StreamedLayers<at::Tensor> layers(count, kCpu, [&](int64_t, const CancelToken&) -> absl::StatusOr<at::Tensor> {
    const Try counted{tried};
    return at::empty({kLayerBytes}, at::kByte);
  });
  int64_t used = 0;
  return layers.ForEach({}, [&](const at::Tensor&) -> absl::Status {
    ++used;
    while (tried < std::min(used + 1, count)) std::this_thread::yield();
    return absl::OkStatus();
  });
}

TEST(StreamedLayersTest, HoldsTwoLayersAtMostAndTheScopePays) {
  const auto budget = std::make_shared<MemoryBudget>(2 * kLayerBytes);
  const BudgetScope scope(budget);
  EXPECT_TRUE(SlowPass(20).ok());
  EXPECT_EQ(budget->peak_bytes(), 2 * kLayerBytes);
  EXPECT_EQ(budget->used_bytes(), 0);
  budget->SetLimit(2 * kLayerBytes - 1);
  EXPECT_EQ(SlowPass(20).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(StreamedLayersTest, EndsWithWhatAReadOrAUseAnswers) {
  const StreamedLayers<at::Tensor> broken(5, kCpu, [](int64_t index, const CancelToken&) -> absl::StatusOr<at::Tensor> {
    if (index == 3) return absl::DataLossError("layer 3");
    return at::empty({1}, at::kFloat);
  });
  EXPECT_EQ(Pass(broken).status(), absl::DataLossError("layer 3"));
  int used = 0;
  const absl::Status stopped = Numbered(5).ForEach({}, [&](const at::Tensor&) -> absl::Status {
    return ++used == 2 ? absl::CancelledError() : absl::OkStatus();
  });
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(used, 2);
}

TEST(StreamedLayersTest, AReadThatTakesLongIsEndedByThePoll) {
  const StreamedLayers<at::Tensor> slow(2, kCpu, [](int64_t, const CancelToken& cancel) -> absl::StatusOr<at::Tensor> {
    while (cancel.Check().ok()) std::this_thread::yield();  // as a reader does between its tensors
    return cancel.Check();
  });
  int polls = 0;
  const absl::Status status = slow.ForEach(
      [&]() -> absl::Status { return ++polls < 3 ? absl::OkStatus() : absl::CancelledError("enough"); },
      [](const at::Tensor&) -> absl::Status { return absl::OkStatus(); });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_EQ(polls, 3);
}

}  // namespace
}  // namespace grym
