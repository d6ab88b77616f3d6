// Unigram language model (T5): of all ways to cut a word into pieces, the one whose scores sum highest.
#pragma once
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "text/subword_model.h"

namespace grym {

struct UnigramParts {
  Vocabulary vocabulary;       // sealed, ids 0, 1, 2 ... in the order of Add
  std::vector<double> scores;  // of each id, finite
  std::optional<int32_t> unk_id;
  bool byte_fallback = false;  // the unknown as the tokens of its bytes
};

// InvalidArgument for pieces longer than 512 bytes and an unk_id outside the vocabulary.
absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeUnigram(UnigramParts parts, const std::string& where);

}  // namespace grym
