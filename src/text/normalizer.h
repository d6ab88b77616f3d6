// What is done to a text before it is split: the "normalizer" of tokenizer.json.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "text/char_map.h"

namespace grym {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual std::string Apply(std::string_view text) const = 0;
};

// Steps in order.
using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;

// Sequence, Precompiled, Replace (a literal, or the pattern " {2,}"), Strip, Prepend; null for none. Unimplemented
// for all others, which need tables of Unicode's that no model of ours asks for.
absl::StatusOr<Normalizers> ReadNormalizers(const Json& json, const std::string& where);
std::unique_ptr<const Normalizer> CharMapNormalizer(CharMap map);

// InvalidArgument ("text_grows") where a step makes more than 8 times `text` of it; 64 bytes are always free.
absl::StatusOr<std::string> Normalize(const Normalizers& steps, std::string_view text);
absl::Status CheckGrowth(size_t bytes, size_t original_bytes);

}  // namespace grym
