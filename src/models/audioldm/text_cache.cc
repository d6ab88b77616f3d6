#include "models/audioldm/text_cache.h"

#include <algorithm>

namespace grym {

std::optional<std::vector<float>> TextEmbeddingCache::Find(const std::vector<int32_t>& ids) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.first == ids; });
  if (found == entries_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found);
  return found->second;
}

void TextEmbeddingCache::Keep(const std::vector<int32_t>& ids, std::vector<float> embedding) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++encodes_;
  entries_.remove_if([&](const Entry& entry) { return entry.first == ids; });  // another session was as fast
  entries_.emplace_front(ids, std::move(embedding));
  if (entries_.size() > kKept) entries_.pop_back();
}

int64_t TextEmbeddingCache::encodes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return encodes_;
}

}  // namespace grym
