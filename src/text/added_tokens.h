// Tokens that are found in the text before the model sees it: the "added_tokens" of tokenizer.json.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "text/normalizer.h"
#include "text/piece_trie.h"

namespace grym {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false;  // counts only where no word character stands next to it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;
  bool normalized = false;   // looked for after normalising, in its own normalised form
  bool special = false;      // no text: left out by DecodeOptions::skip_special_tokens
};

// What a text is made of: one added token, or text between them (id < 0).
struct TextSpan {
  std::string_view text;
  int32_t id = -1;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(AddedTokens&&) = default;  // no copies: the tries borrow from the patterns
  AddedTokens& operator=(AddedTokens&&) = default;

  // InvalidArgument for content that is empty or longer than 512 bytes.
  absl::Status Add(AddedToken token, const std::string& where);
  absl::Status Seal(const Normalizers& normalizers, const std::string& where);

  // Leftmost, of those the longest. Source: tokenizers 0.23, added_vocabulary.rs.
  std::vector<TextSpan> Split(std::string_view text, bool normalized) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* WithId(int32_t id) const;
  const AddedToken* WithContent(std::string_view content) const;

 private:
  // The tokens looked for before normalising, or those after.
  struct Matcher {
    std::vector<std::string> patterns;
    std::vector<size_t> tokens;  // of each pattern
    PieceTrie trie;
  };
  std::vector<AddedToken> tokens_;  // in the order of ids once sealed
  Matcher before_, after_;
};

}  // namespace grym
