// Tokenizer files small enough to be checked by hand.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "support/scratch.h"

namespace grym::testing {

inline void Write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// The value, or a failure of the test and an empty one.
template <class T>
T Value(absl::StatusOr<T> made) {
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : T();
}

inline std::string Little32(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * i & 0xFF);
  return bytes;
}

// A precompiled character map: each prefix of a key has 256 units of its own, children at `base ^ byte`, its value at
// `base`.
inline std::string CharMapBytes(const std::map<std::string, std::string>& entries) {
  std::set<std::string> prefixes{""};
  std::string strings;
  std::map<std::string, uint32_t> places;
  for (const auto& [key, value] : entries) {
    for (size_t n = 1; n <= key.size(); ++n) prefixes.insert(key.substr(0, n));
    places[key] = static_cast<uint32_t>(strings.size());
    strings += value + std::string(1, '\0');
  }
  std::map<std::string, uint32_t> bases;
  for (const std::string& prefix : prefixes) bases[prefix] = static_cast<uint32_t>(256 * (bases.size() + 1));
  std::vector<uint32_t> units(256 * (prefixes.size() + 1), 0);
  for (const auto& [prefix, base] : bases) {
    const uint32_t label = prefix.empty() ? 0 : static_cast<unsigned char>(prefix.back());
    const uint32_t at = prefix.empty() ? 0 : bases[prefix.substr(0, prefix.size() - 1)] ^ label;
    const auto place = places.find(prefix);
    units[at] = (at ^ base) << 10 | (place != places.end() ? 0x100u : 0u) | label;
    if (place != places.end()) units[base] = 0x80000000u | place->second;
  }
  std::string bytes = Little32(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t unit : units) bytes += Little32(unit);
  return bytes + strings;
}

// Fields of a protocol buffer.
inline std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string NumberField(uint32_t number, uint64_t value) { return Varint(number << 3) + Varint(value); }
inline std::string BytesField(uint32_t number, std::string_view bytes) {
  return Varint(number << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}
inline std::string FloatField(uint32_t number, float value) {
  return Varint(number << 3 | 5) + Little32(std::bit_cast<uint32_t>(value));
}
// A piece of a SentencePiece model; 1 normal, 2 unknown, 3 control, 4 user-defined.
inline std::string Piece(std::string_view piece, float score, int type = 1) {
  return BytesField(1, BytesField(1, piece) + FloatField(2, score) + NumberField(3, static_cast<uint64_t>(type)));
}
// trainer_spec of a unigram model with T5's ids.
inline std::string T5Trainer() { return BytesField(2, NumberField(3, 1) + NumberField(40, 2)); }
inline std::string T5Pieces() {
  return Piece("<pad>", 0, 3) + Piece("</s>", 0, 3) + Piece("<unk>", 0, 2) + Piece("\u2581", -2) + Piece("\u2581a", -1) +
         Piece("b", -3) + Piece("c", -3) + Piece("bc", -4) + Piece("\u2581ab", -6);
}

// Byte-level BPE: letters, then what the merges make. "low" is "l o w" -> "lo w" -> "low".
inline constexpr char kBpeJson[] = R"({"version": "1.0", "truncation": {"max_length": 3}, "padding": null,
 "added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true},
   {"id": 12, "content": "<mask>", "lstrip": true, "special": true, "normalized": false}],
 "normalizer": null,
 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
 "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": true},
 "decoder": {"type": "ByteLevel"},
 "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
   "vocab": {"<s>": 0, "</s>": 1, "l": 2, "o": 3, "w": 4, "e": 5, "Ġ": 6, "lo": 7, "low": 8, "Ġl": 9, "Ġlow": 10, "we": 11},
   "merges": ["l o", "lo w", ["Ġ", "low"], ["w", "e"], ["Ġ", "l"]]}})";

}  // namespace grym::testing
