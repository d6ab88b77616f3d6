#include "text/byte_level.h"

#include <array>

#include "base/utf8.h"
#include "text/code_point.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

constexpr bool PrintsItself(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<uint16_t, 256> MakeByteChars() {
  std::array<uint16_t, 256> chars{};
  uint16_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) chars[byte] = PrintsItself(byte) ? static_cast<uint16_t>(byte) : next++;
  return chars;
}

// -1 for what stands for no byte; U+0143 is the last that does.
constexpr std::array<int16_t, 0x144> MakeCharBytes() {
  std::array<int16_t, 0x144> bytes{};
  for (auto& byte : bytes) byte = -1;
  const auto chars = MakeByteChars();
  for (uint32_t byte = 0; byte < 256; ++byte) bytes[chars[byte]] = static_cast<int16_t>(byte);
  return bytes;
}

constexpr std::array<uint16_t, 256> kByteChars = MakeByteChars();
constexpr std::array<int16_t, 0x144> kCharBytes = MakeCharBytes();

enum class WordKind { kLetters, kNumbers, kSpaces, kOthers };

WordKind KindOf(uint32_t c) {
  if (c < 0x80) {
    if ((c | 32) >= 'a' && (c | 32) <= 'z') return WordKind::kLetters;
    if (c >= '0' && c <= '9') return WordKind::kNumbers;
    return c == ' ' || (c >= 9 && c <= 13) ? WordKind::kSpaces : WordKind::kOthers;
  }
  const UnicodeClass kind = UnicodeClass::Of(c);
  if (kind.is_letter()) return WordKind::kLetters;
  if (kind.is_number()) return WordKind::kNumbers;
  return kind.is_space() ? WordKind::kSpaces : WordKind::kOthers;
}

// End of the run of one kind that begins at `at`, and where its last character begins.
size_t RunEnd(std::string_view text, size_t at, WordKind kind, size_t* last) {
  while (at < text.size()) {
    const CodePoint c = CodePointAt(text, at);
    if (KindOf(c.value) != kind) break;
    *last = at;
    at += c.bytes;
  }
  return at;
}

}  // namespace

void AppendByteLevel(std::string_view bytes, std::string& out) {
  for (const char c : bytes) AppendCodePoint(kByteChars[static_cast<unsigned char>(c)], out);
}

std::optional<std::string> FromByteLevel(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const CodePoint c = CodePointAt(token, at);
    if (c.value >= kCharBytes.size() || kCharBytes[c.value] < 0) return std::nullopt;
    bytes += static_cast<char>(kCharBytes[c.value]);
    at += c.bytes;
  }
  return bytes;
}

std::string LossyUtf8(std::string_view bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size();) {
    if (const size_t length = Utf8Length(bytes, at); length > 0) {
      text.append(bytes.substr(at, length));
      at += length;
      continue;
    }
    // The maximal part: a lead byte with as many continuations as a valid sequence could have. A sequence is tried
    // by filling it up with the least continuation bytes that its lead allows.
    size_t part = 1;
    const auto continues = [&](size_t k) {
      return k < bytes.size() && (static_cast<unsigned char>(bytes[k]) & 0xC0) == 0x80;
    };
    for (; part < 3 && continues(at + part); ++part) {
      std::string filled(bytes.substr(at, part + 1));
      const auto lead = static_cast<unsigned char>(filled[0]);
      filled.resize(lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2, '\x80');
      if (filled.size() <= part + 1 || Utf8Length(filled, 0) == 0) break;
    }
    text += "\xEF\xBF\xBD";
    at += part;
  }
  return text;
}

size_t WordEnd(std::string_view text, size_t at) {
  if (text[at] == '\'') {
    for (const std::string_view ending : {"s", "t", "re", "ve", "m", "ll", "d"}) {
      if (text.substr(at + 1, ending.size()) == ending) return at + 1 + ending.size();
    }
  }
  size_t last = at;
  size_t word = at + (text[at] == ' ' && at + 1 < text.size() ? 1 : 0);
  WordKind kind = KindOf(CodePointAt(text, word).value);
  if (kind != WordKind::kSpaces) return RunEnd(text, word, kind, &last);
  const size_t end = RunEnd(text, at, WordKind::kSpaces, &last);
  // The last space before a word is left for it: \s+(?!\S).
  return end == text.size() || last == at ? end : last;
}

}  // namespace grym
