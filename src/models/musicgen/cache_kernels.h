// What reads the cache: scores of kept keys and mixtures of kept values, for each kind of machine.
//
// Every path gives the same bits. Of 16 bit numbers the same float32 products are added in the same order, none of them
// fused; 8 bit ones are multiplied with queries and weights that are rounded to 16 bits, and sums of whole numbers are
// exact in any order. So the rounding leaves 2^-16 of the largest number, a 256th of what the 8 bits do.
#pragma once
#include <cstdint>

namespace grym {

enum class CachePath {
  kPortable,  // plain C++, every machine; compiled for AVX2 as well where the build can (dsp/dispatch.h)
  kAvx2,      // AVX2: products of 16 bit numbers in pairs
  kAvx512,    // AVX-512 F, BW, VL and VNNI: the same for twice as many, added in the same instruction
};
const char* CachePathName(CachePath path);
// Whether this machine (and this build) can run it.
bool CachePathRuns(CachePath path);
CachePath BestCachePath();  // the fastest that runs

inline constexpr int64_t kCacheBlock = 16;   // positions whose scores are made side by side; numbers taken at once
inline constexpr int64_t kCacheChunk = 256;  // positions whose weights are rounded together, to one scale

// Where number `i` of 16 bits lies: of sixteen the first eight and the second take turns, so that each 32 bits hold one
// of both, which two shifts take apart. Widening eight neighbours takes four instructions.
constexpr int64_t WordPlace(int64_t i) { return i / 16 * 16 + i % 8 * 2 + i / 8 % 2; }
// Keys in 16 bits: [block][dim][16], in the order of WordPlace. In 8: [block][dim / 2][16][2], so that a pair of
// numbers of one position is multiplied and added at once; an odd dim is filled up with a zero.
constexpr int64_t WordKeyPlace(int64_t position, int64_t i) { return i * 16 + WordPlace(position); }
constexpr int64_t ByteKeyPlace(int64_t position, int64_t i) { return i / 2 * 32 + position * 2 + i % 2; }

struct CacheKernels {
  // scores [blocks * 16] = query [dim] times the keys of each position, times its scale.
  void (*score_words)(const int16_t* keys, const float* scales, const float* query, int64_t dim, int64_t blocks,
                      float* scores);
  // out [dim] = the sum of `count` values, each times its weight. dim is a multiple of 16; values [position][dim], each
  // in the order of WordPlace.
  void (*mix_words)(const int16_t* values, int64_t dim, const float* weights, int64_t count, float* out);
  // As score_words. query [2 * pairs]; its scale goes into the scores.
  void (*score_bytes)(const int8_t* keys, const float* scales, const int16_t* query, float query_scale, int64_t pairs,
                      int64_t blocks, float* scores);
  // out [dim] += scale times the sum of `pairs` pairs of values, at most a chunk, each times its weight. dim is a
  // multiple of 16; values [pair][dim][2], weights [2 * pairs].
  void (*mix_bytes)(const int8_t* values, int64_t dim, const int16_t* weights, float scale, int64_t pairs, float* out);
};
// The path must run here.
const CacheKernels& CacheKernelsOf(CachePath path);

// What a path implements. Null where the compiler cannot make them.
const CacheKernels* PortableCacheKernels();
const CacheKernels* Avx2CacheKernels();
const CacheKernels* Avx512CacheKernels();

}  // namespace grym
