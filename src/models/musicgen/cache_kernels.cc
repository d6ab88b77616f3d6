#include "models/musicgen/cache_kernels.h"

#include <algorithm>
#include <array>

#include "dsp/dispatch.h"
#include "models/musicgen/eight_lanes.h"

namespace grym {
namespace {

#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
typedef int32_t EightWholes __attribute__((vector_size(32), may_alias, aligned(2)));
// By reference: how a register of this width is returned depends on the machine.
GRYM_INLINE void FromWords(const int16_t* from, EightLanes& first, EightLanes& second) {
  const EightWholes both = *reinterpret_cast<const EightWholes*>(from);
  const EightWholes low = (both << 16) >> 16, high = both >> 16;
  first = __builtin_convertvector(low, EightLanes);
  second = __builtin_convertvector(high, EightLanes);
}
#else
GRYM_INLINE void FromWords(const int16_t* from, EightLanes& first, EightLanes& second) {
  for (int i = 0; i < kLanes; ++i) {
    first.v[i] = static_cast<float>(from[2 * i]);
    second.v[i] = static_cast<float>(from[2 * i + 1]);
  }
}
#endif

// Two sums for each lane: one would wait for itself at every addition.
GRYM_HOT void PortableScoreWords(const int16_t* keys, const float* scales, const float* query, int64_t dim,
                                 int64_t blocks, float* scores) {
  for (int64_t block = 0; block < blocks; ++block, keys += dim * 16, scales += 16, scores += 16) {
    EightLanes a, b, c, d, first, second;
    FillLanes(kNoLanes, a);
    b = c = d = a;
    int64_t i = 0;
    for (; i + 2 <= dim; i += 2) {
      FromWords(keys + i * 16, first, second);
      a = a + query[i] * first;
      b = b + query[i] * second;
      FromWords(keys + (i + 1) * 16, first, second);
      c = c + query[i + 1] * first;
      d = d + query[i + 1] * second;
    }
    if (i < dim) {
      FromWords(keys + i * 16, first, second);
      a = a + query[i] * first;
      b = b + query[i] * second;
    }
    FillLanes(scales, first);
    FillLanes(scales + kLanes, second);
    KeepLanes((a + c) * first, scores);
    KeepLanes((b + d) * second, scores + kLanes);
  }
}

// out [wide * 16] = the weighed sum of columns that lie `stride` apart.
template <int wide>
GRYM_INLINE void SumWords(const int16_t* values, int64_t stride, const float* weights, int64_t count, float* out) {
  EightLanes sums[2 * wide], first, second;
  for (int i = 0; i < 2 * wide; ++i) FillLanes(kNoLanes, sums[i]);
  for (int64_t position = 0; position < count; ++position, values += stride) {
    for (int i = 0; i < wide; ++i) {
      FromWords(values + i * 16, first, second);
      sums[2 * i] = sums[2 * i] + weights[position] * first;
      sums[2 * i + 1] = sums[2 * i + 1] + weights[position] * second;
    }
  }
  for (int i = 0; i < 2 * wide; ++i) KeepLanes(sums[i], out + i * kLanes);
}

GRYM_HOT void PortableMixWords(const int16_t* values, int64_t dim, const float* weights, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + 64 <= dim; i += 64) SumWords<4>(values + i, dim, weights, count, out + i);
  for (; i + 32 <= dim; i += 32) SumWords<2>(values + i, dim, weights, count, out + i);
  for (; i < dim; i += 16) SumWords<1>(values + i, dim, weights, count, out + i);
}

// sums [16] += a pair of numbers times sixteen pairs of them.
GRYM_INLINE void AddPairs(const int8_t* GRYM_RESTRICT from, int32_t first, int32_t second,
                          int32_t* GRYM_RESTRICT sums) {
  for (int lane = 0; lane < 16; ++lane) sums[lane] += first * from[2 * lane] + second * from[2 * lane + 1];
}

GRYM_HOT void PortableScoreBytes(const int8_t* keys, const float* scales, const int16_t* query, float query_scale,
                                 int64_t pairs, int64_t blocks, float* scores) {
  for (int64_t block = 0; block < blocks; ++block, keys += pairs * 32, scales += 16, scores += 16) {
    int32_t sums[16] = {};
    for (int64_t i = 0; i < pairs; ++i) AddPairs(keys + 32 * i, query[2 * i], query[2 * i + 1], sums);
    for (int lane = 0; lane < 16; ++lane) scores[lane] = static_cast<float>(sums[lane]) * query_scale * scales[lane];
  }
}

GRYM_HOT void PortableMixBytes(const int8_t* values, int64_t dim, const int16_t* weights, float scale, int64_t pairs,
                               float* out) {
  for (int64_t from = 0; from < dim; from += 16) {
    int32_t sums[16] = {};
    for (int64_t i = 0; i < pairs; ++i) {
      AddPairs(values + (i * dim + from) * 2, weights[2 * i], weights[2 * i + 1], sums);
    }
    for (int lane = 0; lane < 16; ++lane) out[from + lane] += scale * static_cast<float>(sums[lane]);
  }
}

const CacheKernels* KernelsOrNull(CachePath path) {
  switch (path) {
    case CachePath::kPortable: return PortableCacheKernels();
    case CachePath::kAvx2: return Avx2CacheKernels();
    case CachePath::kAvx512: return Avx512CacheKernels();
  }
  return nullptr;
}

}  // namespace

const CacheKernels* PortableCacheKernels() {
  static constexpr CacheKernels kKernels = {PortableScoreWords, PortableMixWords, PortableScoreBytes, PortableMixBytes};
  return &kKernels;
}

const char* CachePathName(CachePath path) {
  constexpr std::array<const char*, 3> kNames = {"portable", "avx2", "avx512"};
  return kNames[static_cast<size_t>(path)];
}

bool CachePathRuns(CachePath path) {
  if (path == CachePath::kPortable) return true;
#if defined(__GNUC__) && defined(__x86_64__)
  if (!KernelsOrNull(path) || !__builtin_cpu_supports("avx2")) return false;
  return path == CachePath::kAvx2 || (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"));
#else
  return false;
#endif
}

CachePath BestCachePath() {
  static const CachePath best = CachePathRuns(CachePath::kAvx512) ? CachePath::kAvx512
                                : CachePathRuns(CachePath::kAvx2) ? CachePath::kAvx2
                                                                  : CachePath::kPortable;
  return best;
}

const CacheKernels& CacheKernelsOf(CachePath path) { return *KernelsOrNull(path); }

}  // namespace grym
