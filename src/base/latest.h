// The latest value of something, handed from one thread to another.
#pragma once
#include <array>
#include <atomic>

namespace grym {

// One thread writes, one reads, and neither ever waits: each has a copy of its own, and they swap with the one between.
template <class T>
class Latest {
 public:
  void Write(const T& value) noexcept {
    copies_[writers_] = value;
    writers_ = between_.exchange(writers_ | kFresh, std::memory_order_acq_rel) & kIndex;
  }
  const T& Read() noexcept {
    if (between_.load(std::memory_order_relaxed) & kFresh)
      readers_ = between_.exchange(readers_, std::memory_order_acq_rel) & kIndex;
    return copies_[readers_];
  }

 private:
  static constexpr unsigned kIndex = 3, kFresh = 4;
  std::array<T, 3> copies_{};
  std::atomic<unsigned> between_{1};
  unsigned writers_ = 0, readers_ = 2;
};

}  // namespace grym
