// Byte-pair encoding: a word's characters are merged, the pair that was learnt first before all others.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/subword_model.h"

namespace grym {

// Ids of two neighbours to their rank and what they become.
class MergeTable {
 public:
  struct Merge {
    int32_t left = -1, right = -1;
    int32_t rank = 0, merged = 0;
  };
  // Of equal pairs the last counts. Internal in the practically impossible case that no hash fits the pairs.
  absl::Status Build(const std::vector<Merge>& merges);
  const Merge* Find(int32_t left, int32_t right) const {
    for (size_t at = Slot(left, right);; at = (at + 1) & mask_) {
      const Merge& merge = slots_[at];
      if (merge.left == left && merge.right == right) return &merge;
      if (merge.left < 0) return nullptr;
    }
  }

 private:
  size_t Slot(int32_t left, int32_t right) const;
  bool Put(const Merge& merge);
  std::vector<Merge> slots_{1};
  size_t mask_ = 0;
  uint64_t seed_ = 0;
};

struct BpeParts {
  Vocabulary vocabulary;  // sealed
  std::vector<std::pair<std::string, std::string>> merges;  // in the order of their rank
  std::optional<std::string> unk_token;
  bool fuse_unk = false;        // unknown characters in a row as one
  bool byte_fallback = false;   // the unknown as the tokens of its bytes
  bool ignore_merges = false;   // a word that is a token stays whole
};

// InvalidArgument for a merge whose parts or result are no tokens, and for an unk_token that is none. Without an
// unk_token, characters that are no token are left out, as the reference does it.
absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeBpe(BpeParts parts, const std::string& where);

}  // namespace grym
