// GPT-2's byte-level alphabet and its split into words, used by RoBERTa and with it by CLAP.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace grym {

// Each byte as a printable character: itself where Latin-1 prints it, else one of U+0100..U+0143 in order.
// Source: bytes_to_unicode of OpenAI's GPT-2, encoder.py.
void AppendByteLevel(std::string_view bytes, std::string& out);
// Of the characters of a token; nothing where one of them stands for no byte.
std::optional<std::string> FromByteLevel(std::string_view token);
// U+FFFD for each maximal part of a sequence that is no UTF-8 (as Rust's from_utf8_lossy).
std::string LossyUtf8(std::string_view bytes);

// End of the word of `text` that begins at `at`, by the pattern
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// in time proportional to the word (a run of spaces is looked at twice). Requires valid UTF-8, at < text.size().
size_t WordEnd(std::string_view text, size_t at);

}  // namespace grym
