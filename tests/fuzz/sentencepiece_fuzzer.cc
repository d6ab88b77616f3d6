// Bytes as a SentencePiece model. What opens encodes any text or says why not, and its ids decode.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "text/tokenizer_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = grym::ReadSentencePiece(bytes, "spiece.model", grym::TokenizerConfig());
  if (!tokenizer.ok()) return 0;
  for (const std::string_view line : {std::string_view("Abc  e\u0301\r\n</s>12\u4F60 \U0001F600\u200D"), bytes}) {
    const auto ids = (*tokenizer)->Encode(line);
    if (!ids.ok()) continue;
    const auto back = (*tokenizer)->Decode(*ids);
    if (!back.ok() || !grym::IsUtf8(*back)) std::abort();
  }
  return 0;
}
