// Base64 of RFC 4648, section 4.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace grym {

// Nothing for anything but whole, padded groups of the standard alphabet.
inline std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  if (padding > 2) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size() - padding; ++i) {
    const char c = text[i];
    const uint32_t digit = c >= 'A' && c <= 'Z'   ? static_cast<uint32_t>(c - 'A')
                           : c >= 'a' && c <= 'z' ? static_cast<uint32_t>(c - 'a' + 26)
                           : c >= '0' && c <= '9' ? static_cast<uint32_t>(c - '0' + 52)
                           : c == '+'             ? 62
                           : c == '/'             ? 63
                                                  : 64;
    if (digit == 64) return std::nullopt;
    group = group << 6 | digit;
    if (i % 4 != 0) bytes += static_cast<char>(group >> (6 - i % 4 * 2) & 0xFF);
  }
  return bytes;
}

}  // namespace grym
