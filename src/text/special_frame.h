// The special tokens that are put around a text: the "post_processor" of tokenizer.json.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// before + the text's own ids + after.
struct SpecialFrame {
  std::vector<int32_t> before, after;
};

// RobertaProcessing, TemplateProcessing with one text in it, ByteLevel (which concerns offsets alone), Sequence; null
// for none. Unimplemented for all others.
absl::StatusOr<SpecialFrame> ReadSpecialFrame(const Json& json, const std::string& where);

}  // namespace grym
