#include "text/vocabulary.h"

#include <algorithm>
#include <numeric>

#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {

absl::Status Vocabulary::Add(std::string_view token, int64_t id, const std::string& where) {
  if (ids_.size() >= kTokenizerPieces)
    return TooLargeTokenizer(where, Formatted("want at most %d tokens, got more", kTokenizerPieces));
  if (id < 0 || id >= kTokenizerIds) {
    return BadTokenizer(where, Formatted("id of token \"%s\": want 0 to %d, got %d", Printable(token, 60),
                                         kTokenizerIds - 1, id));
  }
  bytes_->append(token);
  begins_.push_back(bytes_->size());
  ids_.push_back(static_cast<int32_t>(id));
  return absl::OkStatus();
}

absl::Status Vocabulary::Seal(const std::string& where, bool unique) {
  if (ids_.empty()) return BadTokenizer(where, "want a vocabulary, got an empty one");
  bytes_->shrink_to_fit();  // before the trie borrows from it
  by_id_.resize(ids_.size());
  std::iota(by_id_.begin(), by_id_.end(), 0u);
  const auto id_less = [&](uint32_t a, uint32_t b) { return ids_[a] < ids_[b]; };
  if (!std::is_sorted(by_id_.begin(), by_id_.end(), id_less)) std::sort(by_id_.begin(), by_id_.end(), id_less);
  for (size_t i = 1; i < by_id_.size(); ++i) {
    if (ids_[by_id_[i]] != ids_[by_id_[i - 1]]) continue;
    return BadTokenizer(where, Formatted("want an id of its own for each token, got %d for \"%s\" and \"%s\"",
                                         ids_[by_id_[i]], Printable(token_at(by_id_[i - 1]), 60),
                                         Printable(token_at(by_id_[i]), 60)));
  }
  std::vector<std::string_view> tokens(ids_.size());
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = token_at(i);
  if (!trie_.Build(tokens)) return TooLargeTokenizer(where, "want shorter tokens");
  for (size_t i = 0; unique && i < tokens.size(); ++i) {
    if (trie_.Find(tokens[i]) != static_cast<int32_t>(i))
      return BadTokenizer(where, Formatted("duplicate token \"%s\"", Printable(tokens[i], 60)));
  }
  return absl::OkStatus();
}

std::optional<int32_t> Vocabulary::Id(std::string_view token) const {
  const int32_t index = trie_.Find(token);
  return index < 0 ? std::nullopt : std::optional(id_at(index));
}

std::optional<std::string_view> Vocabulary::Token(int32_t id) const {
  const auto found = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                      [&](uint32_t index, int32_t wanted) { return ids_[index] < wanted; });
  if (found == by_id_.end() || ids_[*found] != id) return std::nullopt;
  return token_at(*found);
}

}  // namespace grym
