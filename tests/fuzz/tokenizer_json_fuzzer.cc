// Bytes as tokenizer.json. What opens encodes any text or says why not, and its ids decode.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "text/tokenizer_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = grym::ReadTokenizerJson(text, "tokenizer.json", grym::TokenizerConfig());
  if (!tokenizer.ok()) return 0;
  for (const std::string_view line : {std::string_view("low\u0301 <mask>  don't\n12\u4F60 \U0001F600\r\n a"), text}) {
    const auto ids = (*tokenizer)->Encode(line);
    if (!ids.ok()) continue;
    const auto back = (*tokenizer)->Decode(*ids);
    if (back.ok() ? !grym::IsUtf8(*back) : back.status().code() != absl::StatusCode::kUnimplemented) std::abort();
  }
  return 0;
}
