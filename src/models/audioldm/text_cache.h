// What the text encoder answered to the last texts: a negative prompt is mostly the same from run to run.
#pragma once
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace grym {

// Of one model at its precision. Plain memory, of some 50 KB at most, which no budget of tensors counts. Threads: any.
class TextEmbeddingCache {
 public:
  static constexpr size_t kKept = 16;  // texts; the one that was not wanted for longest goes
  // The embedding of a text's tokens, as the encoder gave it; nothing where it is not kept.
  std::optional<std::vector<float>> Find(const std::vector<int32_t>& ids);
  void Keep(const std::vector<int32_t>& ids, std::vector<float> embedding);
  // How often a text was encoded, kept since or not.
  int64_t encodes() const;

 private:
  using Entry = std::pair<std::vector<int32_t>, std::vector<float>>;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the last wanted first
  int64_t encodes_ = 0;
};

}  // namespace grym
