// UTF-8 by RFC 3629: no over-long forms, no surrogates, nothing beyond U+10FFFF.
#pragma once
#include <cstddef>
#include <string_view>

namespace grym {

// Bytes of the valid sequence at text[at], 0 when there is none. Requires at < text.size().
size_t Utf8Length(std::string_view text, size_t at);
bool IsUtf8(std::string_view text);

}  // namespace grym
