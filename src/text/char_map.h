// SentencePiece's precompiled character map: a double array trie of byte strings and what each becomes.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grym {

// Source: the units of Darts-clone (S. Yata), as SentencePiece's normalizer.cc stores them: [u32 bytes of the trie]
// [u32 units...][strings, each ended by 0]. A leaf's value is the place of its string.
class CharMap {
 public:
  // DataLoss for a map that is cut, of a wrong length, or whose strings are no UTF-8. A unit that leads outside the
  // trie or the strings matches nothing.
  static absl::StatusOr<CharMap> Parse(std::string_view bytes, const std::string& where);

  // What `chunk` becomes by the *shortest* entry that it begins with; nothing where there is none. The rest of the
  // chunk is dropped: so does the reference.
  std::optional<std::string_view> Find(std::string_view chunk) const;

  // The whole text, as transformers does it: grapheme clusters of fewer than 6 bytes as one chunk, else and where
  // that finds nothing code point by code point. Source: tokenizers 0.23, normalizers/precompiled.rs. Differs from
  // SentencePiece itself, which takes the longest entry everywhere.
  std::string Normalize(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string strings_;
  std::array<bool, 128> ascii_{};  // characters with an entry of their own
};

}  // namespace grym
