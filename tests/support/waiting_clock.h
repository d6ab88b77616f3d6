// A clock whose waits take no time, and are kept.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "workflow/executor.h"

namespace grym::testing {

class WaitingClock : public WaitClock {
 public:
  int64_t NowMs() override { return now_ms; }
  absl::Status WaitUntil(int64_t until_ms, const CancelToken& cancel) override {
    waits_ms.push_back(until_ms - now_ms);
    now_ms = std::max(now_ms, until_ms);
    return cancel.Check();
  }
  int64_t now_ms = 1000;
  std::vector<int64_t> waits_ms;
};

}  // namespace grym::testing
