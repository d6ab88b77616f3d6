// How a normalised text is cut into the words that the model sees: the "pre_tokenizer" of tokenizer.json.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// A stretch of text between two added tokens, cut further by each step.
struct TextPieces {
  std::vector<std::string> pieces;
  bool at_start = false;  // whether the first piece begins where the whole text begins
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Pieces that become empty are left out.
  virtual void Apply(TextPieces& text) const = 0;
};

using PreTokenizers = std::vector<std::unique_ptr<const PreTokenizer>>;

// ByteLevel, Metaspace, WhitespaceSplit, Sequence; null for none. Unimplemented for all others.
absl::StatusOr<PreTokenizers> ReadPreTokenizers(const Json& json, const std::string& where);

std::unique_ptr<const PreTokenizer> ByteLevelPreTokenizer(bool add_prefix_space);
// WhitespaceSplit, then Metaspace that always prepends: T5's.
PreTokenizers T5PreTokenizers();

// Of "replacement" and "prepend_scheme" or the older "add_prefix_space"; shared with the decoder of the same name.
struct Metaspace {
  std::string replacement = "\xE2\x96\x81";  // U+2581
  enum class Prepend { kFirst, kNever, kAlways } prepend = Prepend::kAlways;
  bool split = true;
};
absl::StatusOr<Metaspace> ReadMetaspace(const Json& json, const std::string& where);

}  // namespace grym
