// Tokens and their ids.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "text/piece_trie.h"

namespace grym {

// Filled by Add, closed by Seal, then immutable.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // ResourceExhausted beyond the limits of pieces; InvalidArgument for an id outside [0, 2^24).
  absl::Status Add(std::string_view token, int64_t id, const std::string& where);
  // Of equal tokens the last counts, which is what the reference does with lists; `unique` refuses them instead.
  // Two tokens with one id are refused, as is an empty vocabulary.
  absl::Status Seal(const std::string& where, bool unique);

  size_t size() const { return ids_.size(); }
  std::optional<int32_t> Id(std::string_view token) const;
  std::optional<std::string_view> Token(int32_t id) const;
  int32_t max_id() const { return by_id_.empty() ? -1 : ids_[by_id_.back()]; }

  // The trie's indices count the tokens in the order of Add.
  const PieceTrie& trie() const { return trie_; }
  int32_t id_at(int32_t index) const { return ids_[static_cast<size_t>(index)]; }
  std::string_view token_at(size_t index) const {
    return std::string_view(*bytes_).substr(begins_[index], begins_[index + 1] - begins_[index]);
  }

 private:
  // Keeps its place when the vocabulary is moved: the trie borrows.
  std::unique_ptr<std::string> bytes_ = std::make_unique<std::string>();
  std::vector<size_t> begins_{0};
  std::vector<int32_t> ids_;
  std::vector<uint32_t> by_id_;  // indices in the order of ids
  PieceTrie trie_;
};

}  // namespace grym
