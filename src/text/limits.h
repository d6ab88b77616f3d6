// What tokenizer files and texts may hold at most: more than any published tokenizer needs.
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

inline constexpr int64_t kTokenizerFileBytes = int64_t{64} << 20;
inline constexpr int kTokenizerJsonDepth = 64;
inline constexpr size_t kTokenizerPieces = size_t{1} << 20;    // and as many merges
inline constexpr int64_t kTokenizerIds = int64_t{1} << 24;     // ids are below it
inline constexpr size_t kTokenizerTextBytes = size_t{1} << 20;
inline constexpr size_t kTextGrowth = 8;                       // times its length a text may grow to by normalising
// Longest piece of a unigram model and longest added token: encoding takes time in proportion to it and to the text.
inline constexpr size_t kPieceBytes = 512;
// A part of tokenizer.json that is no list of pieces: the largest known holds a character map of 0.3 MB.
inline constexpr size_t kTokenizerPartBytes = size_t{2} << 20;
inline constexpr size_t kTokenizerSteps = 64;                  // of a sequence of normalisers, decoders and the like

}  // namespace grym
