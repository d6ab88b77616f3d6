#include "dsp/fft_batch.h"

#include <cmath>
#include <cstddef>
#include <numbers>

#include "dsp/dispatch.h"
#include "dsp/turns.h"

namespace grym {
namespace {

// Four points of a radix-4 step, each re, im. Turned by their twiddles unless this is the last step.
GRYM_INLINE void Cross(EightLanes* a, EightLanes* b, EightLanes* c, EightLanes* d, const float* w) {
  const EightLanes ac_re = a[0] + c[0], ac_im = a[1] + c[1], a_c_re = a[0] - c[0], a_c_im = a[1] - c[1];
  const EightLanes bd_re = b[0] + d[0], bd_im = b[1] + d[1], b_d_re = b[0] - d[0], b_d_im = b[1] - d[1];
  a[0] = ac_re + bd_re;
  a[1] = ac_im + bd_im;
  const EightLanes u_re = a_c_re + b_d_im, u_im = a_c_im - b_d_re, v_re = ac_re - bd_re, v_im = ac_im - bd_im;
  const EightLanes t_re = a_c_re - b_d_im, t_im = a_c_im + b_d_re;
  b[0] = w[0] * u_re - w[1] * u_im;
  b[1] = w[0] * u_im + w[1] * u_re;
  c[0] = w[2] * v_re - w[3] * v_im;
  c[1] = w[2] * v_im + w[3] * v_re;
  d[0] = w[4] * t_re - w[5] * t_im;
  d[1] = w[4] * t_im + w[5] * t_re;
}

GRYM_INLINE void CrossUnturned(EightLanes* a, EightLanes* b, EightLanes* c, EightLanes* d) {
  const EightLanes ac_re = a[0] + c[0], ac_im = a[1] + c[1], a_c_re = a[0] - c[0], a_c_im = a[1] - c[1];
  const EightLanes bd_re = b[0] + d[0], bd_im = b[1] + d[1], b_d_re = b[0] - d[0], b_d_im = b[1] - d[1];
  a[0] = ac_re + bd_re;
  a[1] = ac_im + bd_im;
  b[0] = a_c_re + b_d_im;
  b[1] = a_c_im - b_d_re;
  c[0] = ac_re - bd_re;
  c[1] = ac_im - bd_im;
  d[0] = a_c_re - b_d_im;
  d[1] = a_c_im + b_d_re;
}

GRYM_HOT void CrossAll(float* packed, int n, const float* w) {
  const std::ptrdiff_t quarter = n / 4;
  EightLanes* z = reinterpret_cast<EightLanes*>(packed);
  for (std::ptrdiff_t p = 0; p < quarter; ++p) {
    EightLanes* a = z + 2 * p;
    Cross(a, a + 2 * quarter, a + 4 * quarter, a + 6 * quarter, w + 6 * p);
  }
}

// Blocks of sixteen points in two steps of radix 4.
GRYM_HOT void FinishSixteens(float* packed, int blocks, const float* w) {
  EightLanes* z = reinterpret_cast<EightLanes*>(packed);
  for (int block = 0; block < blocks; ++block, z += 32) {
    for (int p = 0; p < 4; ++p) Cross(z + 2 * p, z + 2 * p + 8, z + 2 * p + 16, z + 2 * p + 24, w + 6 * p);
    for (int s = 0; s < 32; s += 8) CrossUnturned(z + s, z + s + 2, z + s + 4, z + s + 6);
  }
}

// Blocks of eight points, the second step of radix 2.
GRYM_HOT void FinishEights(float* packed, int blocks, const float* w) {
  EightLanes* z = reinterpret_cast<EightLanes*>(packed);
  for (int block = 0; block < blocks; ++block, z += 16) {
    for (int p = 0; p < 2; ++p) Cross(z + 2 * p, z + 2 * p + 4, z + 2 * p + 8, z + 2 * p + 12, w + 6 * p);
    for (int s = 0; s < 16; s += 4) {
      for (int part = s; part < s + 2; ++part) {
        const EightLanes sum = z[part] + z[part + 2], difference = z[part] - z[part + 2];
        z[part] = sum;
        z[part + 2] = difference;
      }
    }
  }
}

#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
// Rows become columns, in three rounds of shuffles.
GRYM_INLINE void Transpose(EightLanes* rows) {
#define GRYM_PAIRS_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define GRYM_PAIRS_HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define GRYM_FOURS_LOW(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define GRYM_FOURS_HIGH(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define GRYM_HALVES_LOW(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define GRYM_HALVES_HIGH(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
  const EightLanes a = rows[0], b = rows[1], c = rows[2], d = rows[3], e = rows[4], f = rows[5], g = rows[6],
                   h = rows[7];
  const EightLanes ab_low = GRYM_PAIRS_LOW(a, b), ab_high = GRYM_PAIRS_HIGH(a, b), cd_low = GRYM_PAIRS_LOW(c, d),
                   cd_high = GRYM_PAIRS_HIGH(c, d), ef_low = GRYM_PAIRS_LOW(e, f), ef_high = GRYM_PAIRS_HIGH(e, f),
                   gh_low = GRYM_PAIRS_LOW(g, h), gh_high = GRYM_PAIRS_HIGH(g, h);
  const EightLanes ad_0 = GRYM_FOURS_LOW(ab_low, cd_low), ad_1 = GRYM_FOURS_HIGH(ab_low, cd_low),
                   ad_2 = GRYM_FOURS_LOW(ab_high, cd_high), ad_3 = GRYM_FOURS_HIGH(ab_high, cd_high),
                   eh_0 = GRYM_FOURS_LOW(ef_low, gh_low), eh_1 = GRYM_FOURS_HIGH(ef_low, gh_low),
                   eh_2 = GRYM_FOURS_LOW(ef_high, gh_high), eh_3 = GRYM_FOURS_HIGH(ef_high, gh_high);
  rows[0] = GRYM_HALVES_LOW(ad_0, eh_0);
  rows[1] = GRYM_HALVES_LOW(ad_1, eh_1);
  rows[2] = GRYM_HALVES_LOW(ad_2, eh_2);
  rows[3] = GRYM_HALVES_LOW(ad_3, eh_3);
  rows[4] = GRYM_HALVES_HIGH(ad_0, eh_0);
  rows[5] = GRYM_HALVES_HIGH(ad_1, eh_1);
  rows[6] = GRYM_HALVES_HIGH(ad_2, eh_2);
  rows[7] = GRYM_HALVES_HIGH(ad_3, eh_3);
#undef GRYM_PAIRS_LOW
#undef GRYM_PAIRS_HIGH
#undef GRYM_FOURS_LOW
#undef GRYM_FOURS_HIGH
#undef GRYM_HALVES_LOW
#undef GRYM_HALVES_HIGH
}

// Eight samples of each of eight frames become four packed points.
GRYM_HOT void LoadWindowed(const float* in, std::ptrdiff_t hop, const float* window, int size, float* packed) {
  for (int n = 0; n < size; n += 8) {
    const EightLanes w = *reinterpret_cast<const EightLanes*>(window + n);
    const float* first = in + n;  // a frame may begin anywhere: every load is of the type that needs no alignment
    EightLanes rows[8];
    for (int f = 0; f < 8; ++f) rows[f] = *reinterpret_cast<const EightLanes*>(first + f * hop) * w;
    Transpose(rows);
    EightLanes* out = reinterpret_cast<EightLanes*>(packed + static_cast<std::ptrdiff_t>(n) * kLanes);
    for (int f = 0; f < 8; ++f) out[f] = rows[f];
  }
}

GRYM_HOT void TakeEights(const float* lanes, int count, float* out, std::ptrdiff_t stride) {
  const EightLanes* in = reinterpret_cast<const EightLanes*>(lanes);
  for (int i = 0; i + 8 <= count; i += 8) {
    EightLanes rows[8];
    for (int n = 0; n < 8; ++n) rows[n] = in[i + n];
    Transpose(rows);
    for (int f = 0; f < 8; ++f) *reinterpret_cast<EightLanes*>(out + f * stride + i) = rows[f];
  }
}
#else
void LoadWindowed(const float* in, std::ptrdiff_t hop, const float* window, int size, float* packed) {
  for (int f = 0; f < kLanes; ++f) {
    for (int n = 0; n < size; ++n) packed[n * kLanes + f] = in[f * hop + n] * window[n];
  }
}

void TakeEights(const float* lanes, int count, float* out, std::ptrdiff_t stride) {
  for (int f = 0; f < kLanes; ++f) {
    for (int i = 0; i + kLanes <= count; ++i) out[f * stride + i] = lanes[i * kLanes + f];
  }
}
#endif

// X[k] = E[k] + w^k O[k] with E, O the spectra of the even and odd samples, read off Z[k] and Z[half - k]; and the
// conjugate of X[half - k] = E[k] - w^k O[k].
struct BinPair {
  EightLanes re, im, mirror_re, mirror_im;
};

GRYM_INLINE void Unpack(const EightLanes* a, const EightLanes* b, const float* w, BinPair* pair) {
  const EightLanes even_re = 0.5f * (a[0] + b[0]), even_im = 0.5f * (a[1] - b[1]);
  const EightLanes odd_re = 0.5f * (a[1] + b[1]), odd_im = 0.5f * (b[0] - a[0]);
  const EightLanes turned_re = w[0] * odd_re - w[1] * odd_im, turned_im = w[0] * odd_im + w[1] * odd_re;
  pair->re = even_re + turned_re;
  pair->im = even_im + turned_im;
  pair->mirror_re = even_re - turned_re;
  pair->mirror_im = even_im - turned_im;
}

GRYM_HOT void PowerOfPacked(const float* packed, const int* place, const float* pack, int half, float* power) {
  const EightLanes* z = reinterpret_cast<const EightLanes*>(packed);
  EightLanes* out = reinterpret_cast<EightLanes*>(power);
  const EightLanes first = z[0] + z[1], last = z[0] - z[1];
  out[0] = first * first;
  out[half] = last * last;
  for (int k = 1; k <= half / 2; ++k) {
    BinPair x;
    Unpack(z + 2 * place[k], z + 2 * place[half - k], pack + 2 * k, &x);
    out[k] = x.re * x.re + x.im * x.im;
    out[half - k] = x.mirror_re * x.mirror_re + x.mirror_im * x.mirror_im;
  }
}

GRYM_HOT void SpectraOfPacked(const float* packed, const int* place, const float* pack, int half, float* spectra) {
  const EightLanes* z = reinterpret_cast<const EightLanes*>(packed);
  EightLanes* out = reinterpret_cast<EightLanes*>(spectra);
  const EightLanes none = {};
  out[0] = z[0] + z[1];
  out[1] = none;
  out[2 * half] = z[0] - z[1];
  out[2 * half + 1] = none;
  for (int k = 1; k <= half / 2; ++k) {
    BinPair x;
    Unpack(z + 2 * place[k], z + 2 * place[half - k], pack + 2 * k, &x);
    out[2 * k] = x.re;
    out[2 * k + 1] = x.im;
    out[2 * (half - k)] = x.mirror_re;
    out[2 * (half - k) + 1] = none - x.mirror_im;
  }
}

// The packed spectrum again, with real and imaginary parts swapped: a forward transform of the swapped is the swapped
// inverse.
GRYM_HOT void PackSwapped(const float* spectra, const float* pack, int half, float* packed) {
  const EightLanes* in = reinterpret_cast<const EightLanes*>(spectra);
  EightLanes* z = reinterpret_cast<EightLanes*>(packed);
  z[1] = 0.5f * (in[0] + in[2 * half]);
  z[0] = 0.5f * (in[0] - in[2 * half]);
  for (int k = 1; k <= half / 2; ++k) {
    const EightLanes* a = in + 2 * k;
    const EightLanes* b = in + 2 * (half - k);
    const EightLanes even_re = 0.5f * (a[0] + b[0]), even_im = 0.5f * (a[1] - b[1]);
    const EightLanes turned_re = 0.5f * (a[0] - b[0]), turned_im = 0.5f * (a[1] + b[1]);
    const float w_re = pack[2 * k], w_im = pack[2 * k + 1];
    const EightLanes odd_re = w_re * turned_re + w_im * turned_im, odd_im = w_re * turned_im - w_im * turned_re;
    z[2 * k] = even_im + odd_re;
    z[2 * k + 1] = even_re - odd_im;
    z[2 * (half - k)] = odd_re - even_im;
    z[2 * (half - k) + 1] = even_re + odd_im;
  }
}

GRYM_HOT void UnswapInto(const float* packed, const int* place, int half, float* out) {
  const EightLanes* z = reinterpret_cast<const EightLanes*>(packed);
  EightLanes* samples = reinterpret_cast<EightLanes*>(out);
  const float scale = 1.0f / static_cast<float>(half);
  for (int i = 0; i < half; ++i) {
    const EightLanes* pair = z + 2 * place[i];
    samples[2 * i] = scale * pair[1];
    samples[2 * i + 1] = scale * pair[0];
  }
}

}  // namespace

RealFftBatch::RealFftBatch(int size) : size_(size), half_(size / 2) {
  for (int n = half_; n >= 8; n /= 4) {
    std::vector<float>& level = twiddles_.emplace_back();
    for (int p = 0; p < n / 4; ++p) {
      for (int k = 1; k <= 3; ++k) {
        const double angle = -2 * std::numbers::pi * k * p / n;
        level.push_back(static_cast<float>(std::cos(angle)));
        level.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  pack_ = Turns(half_ / 2 + 1, size_);
  for (int k = 0; k < half_; ++k) {
    int place = 0;
    for (int n = half_, rest = k; n > 1;) {
      const int radix = n >= 4 ? 4 : 2;
      n /= radix;
      place += rest % radix * n;
      rest /= radix;
    }
    place_.push_back(place);
  }
  packed_.resize(static_cast<size_t>(size_) * kLanes);
}

void RealFftBatch::Transform(float* packed, int n, size_t level) {
  const float* w = twiddles_[level].data();
  if (n == 16) return FinishSixteens(packed, 1, w);
  if (n == 8) return FinishEights(packed, 1, w);
  CrossAll(packed, n, w);
  if (n == 64) return FinishSixteens(packed, 4, twiddles_[level + 1].data());
  if (n == 32) return FinishEights(packed, 4, twiddles_[level + 1].data());
  const int quarter = n / 4;
  for (std::ptrdiff_t part = 0; part < 4; ++part) {
    Transform(packed + part * quarter * 2 * kLanes, quarter, level + 1);
  }
}

void RealFftBatch::Power(const float* in, int hop, const float* window, float* power) {
  LoadWindowed(in, hop, window, size_, packed_.data());
  Transform(packed_.data(), half_, 0);
  PowerOfPacked(packed_.data(), place_.data(), pack_.data(), half_, power);
}

void RealFftBatch::Forward(const float* in, int hop, const float* window, float* spectra) {
  LoadWindowed(in, hop, window, size_, packed_.data());
  Transform(packed_.data(), half_, 0);
  SpectraOfPacked(packed_.data(), place_.data(), pack_.data(), half_, spectra);
}

void RealFftBatch::Inverse(const float* spectra, float* out) {
  PackSwapped(spectra, pack_.data(), half_, packed_.data());
  Transform(packed_.data(), half_, 0);
  UnswapInto(packed_.data(), place_.data(), half_, out);
}

void TakeLane(const float* lanes, int count, int lane, float* out) {
  for (int i = 0; i < count; ++i) out[i] = lanes[static_cast<std::ptrdiff_t>(i) * kLanes + lane];
}

void TakeLanes(const float* lanes, int count, float* out, std::ptrdiff_t stride) {
  TakeEights(lanes, count, out, stride);
  for (std::ptrdiff_t i = count / kLanes * kLanes; i < count; ++i) {
    for (int f = 0; f < kLanes; ++f) out[f * stride + i] = lanes[i * kLanes + f];
  }
}

}  // namespace grym
