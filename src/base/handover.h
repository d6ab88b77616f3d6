// A queue of fixed size from one thread to another.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// One thread gives, one takes, and neither ever waits. Allocates when made, never after.
template <class T>
class Handover {
 public:
  explicit Handover(size_t most) : items_(most) {}
  bool Give(const T& item) noexcept {  // false when it is full
    const size_t given = given_.load(std::memory_order_relaxed);
    if (given - taken_.load(std::memory_order_acquire) == items_.size()) return false;
    items_[given % items_.size()] = item;
    given_.store(given + 1, std::memory_order_release);
    return true;
  }
  size_t Take(std::span<T> out) noexcept {  // the oldest; returns how many
    const size_t taken = taken_.load(std::memory_order_relaxed);
    const size_t count = std::min(out.size(), given_.load(std::memory_order_acquire) - taken);
    for (size_t i = 0; i < count; ++i) out[i] = items_[(taken + i) % items_.size()];
    taken_.store(taken + count, std::memory_order_release);
    return count;
  }

 private:
  std::vector<T> items_;
  std::atomic<size_t> given_{0}, taken_{0};
};

}  // namespace grym
