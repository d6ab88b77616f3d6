// What turns one word into token ids: the "model" of tokenizer.json.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "text/vocabulary.h"

namespace grym {

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  // Appends the ids of a word, which is not empty. InvalidArgument ("unknown_character") where a character has no
  // token and there is none for the unknown.
  virtual absl::Status Append(std::string_view word, std::vector<int32_t>& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  virtual std::optional<int32_t> unk_id() const = 0;
  virtual std::string_view kind() const = 0;
};

// Ids of the tokens <0x00> ... <0xFF>, where a model has all 256 of them.
std::vector<int32_t> ByteTokens(const Vocabulary& vocabulary);

}  // namespace grym
