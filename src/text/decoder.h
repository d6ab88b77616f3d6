// Tokens back to text: the "decoder" of tokenizer.json.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "text/pre_tokenizer.h"

namespace grym {

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void Apply(std::vector<std::string>& tokens) const = 0;
};

// Steps in order; what they leave is joined. Without any, tokens are joined by spaces.
using Decoders = std::vector<std::unique_ptr<const Decoder>>;

// ByteLevel, Metaspace, ByteFallback, Fuse, Replace (a literal), Strip, Sequence; null for none. Unimplemented for all
// others.
absl::StatusOr<Decoders> ReadDecoders(const Json& json, const std::string& where);
std::unique_ptr<const Decoder> ByteLevelDecoder();
std::unique_ptr<const Decoder> MetaspaceDecoder(Metaspace space);

}  // namespace grym
