// The last values of a series that goes on for ever, side by side in memory.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// Keeps at least the last `kept` values, which are numbered from 0 on. Allocates when made, never after.
class Recent {
 public:
  explicit Recent(int64_t kept) : kept_(kept), values_(static_cast<size_t>(2 * kept)) {}
  void Push(float value) {
    if (end_ - first_ == std::ssize(values_)) {
      std::copy(values_.end() - kept_, values_.end(), values_.begin());
      first_ = end_ - kept_;
    }
    values_[static_cast<size_t>(end_++ - first_)] = value;
  }
  int64_t first() const { return first_; }  // what is kept is [first, end)
  int64_t end() const { return end_; }
  const float* data() const { return values_.data(); }  // of value `first`
  float operator[](int64_t i) const { return values_[static_cast<size_t>(i - first_)]; }
  // [from, to), clipped to what is kept.
  std::span<const float> Between(int64_t from, int64_t to) const {
    from = std::clamp(from, first_, end_);
    return {values_.data() + (from - first_), static_cast<size_t>(std::clamp(to, from, end_) - from)};
  }
  float LargestBetween(int64_t from, int64_t to) const {  // 0 where nothing is kept
    const std::span<const float> part = Between(from, to);
    return part.empty() ? 0 : *std::max_element(part.begin(), part.end());
  }

 private:
  int64_t kept_, first_ = 0, end_ = 0;
  std::vector<float> values_;
};

}  // namespace grym
