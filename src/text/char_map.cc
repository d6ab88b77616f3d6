#include "text/char_map.h"

#include "base/utf8.h"
#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

uint32_t LittleEndian32(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t k) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + k])); };
  return byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
}

size_t UnitOffset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 0x200) >> 6); }

}  // namespace

absl::StatusOr<CharMap> CharMap::Parse(std::string_view bytes, const std::string& where) {
  if (bytes.size() < 8) return DamagedTokenizer(where, Formatted("want 8 bytes or more, got %d", bytes.size()));
  const size_t trie_bytes = LittleEndian32(bytes, 0);
  if (trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes > bytes.size() - 4) {
    return DamagedTokenizer(where, Formatted("want a trie of at most %d bytes and a multiple of 4, got %d",
                                             bytes.size() - 4, trie_bytes));
  }
  CharMap map;
  map.units_.resize(trie_bytes / 4);
  for (size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = LittleEndian32(bytes, 4 + i * 4);
  map.strings_ = std::string(bytes.substr(4 + trie_bytes));
  if (!IsUtf8(map.strings_)) return DamagedTokenizer(where, "want strings in UTF-8");
  for (size_t c = 0; c < map.ascii_.size(); ++c) {
    const char text[] = {static_cast<char>(c)};
    map.ascii_[c] = map.Find(std::string_view(text, 1)).has_value();
  }
  return map;
}

std::optional<std::string_view> CharMap::Find(std::string_view chunk) const {
  size_t at = UnitOffset(units_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return std::nullopt;
    at ^= byte;
    // A label holds bit 31 as well, which marks values: such a unit is no way on.
    if (at >= units_.size() || (units_[at] & 0x800000FF) != byte) return std::nullopt;
    const uint32_t unit = units_[at];
    at ^= UnitOffset(unit);
    if (unit >> 8 & 1) {
      if (at >= units_.size()) return std::nullopt;
      const size_t begin = units_[at] & 0x7FFFFFFF;
      if (begin > strings_.size()) return std::nullopt;
      if (begin < strings_.size() && (static_cast<unsigned char>(strings_[begin]) & 0xC0) == 0x80) return std::nullopt;
      const size_t end = std::min(strings_.find('\0', begin), strings_.size());
      return std::string_view(strings_).substr(begin, end - begin);
    }
  }
  return std::nullopt;
}

std::string CharMap::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t end = GraphemeEnd(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    if (end - at == 1 && !ascii_[first]) {
      out += text[at++];
      continue;
    }
    if (end - at < 6) {
      if (const auto found = Find(text.substr(at, end - at))) {
        out.append(*found);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const std::string_view part = text.substr(at, CodePointAt(text, at).bytes);
      out.append(Find(part).value_or(part));
      at += part.size();
    }
  }
  return out;
}

}  // namespace grym
