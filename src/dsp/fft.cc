#include "dsp/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/dispatch.h"
#include "dsp/turns.h"

namespace grym {
namespace {

// One radix-4 stage of the decimation-in-frequency Stockham transform of length n = 4 * quarter at stride 1: the inner
// loop runs over p. Source: Stockham 1966, in the form of Van Loan 1992, section 1.7.
GRYM_HOT void FirstRadix4Stage(int quarter, const float* GRYM_RESTRICT xr, const float* GRYM_RESTRICT xi,
                               float* GRYM_RESTRICT yr, float* GRYM_RESTRICT yi, const float* GRYM_RESTRICT wr,
                               const float* GRYM_RESTRICT wi) {
  for (int p = 0; p < quarter; ++p) {
    const float ar = xr[p], ai = xi[p], br = xr[p + quarter], bi = xi[p + quarter];
    const float cr = xr[p + 2 * quarter], ci = xi[p + 2 * quarter];
    const float dr = xr[p + 3 * quarter], di = xi[p + 3 * quarter];
    const float apcr = ar + cr, apci = ai + ci, amcr = ar - cr, amci = ai - ci;
    const float bpdr = br + dr, bpdi = bi + di, jr = -(bi - di), ji = br - dr;
    const float ur = amcr - jr, ui = amci - ji, vr = apcr - bpdr, vi = apci - bpdi, tr = amcr + jr, ti = amci + ji;
    const float w1r = wr[p], w1i = wi[p], w2r = wr[p + quarter], w2i = wi[p + quarter];
    const float w3r = wr[p + 2 * quarter], w3i = wi[p + 2 * quarter];
    yr[4 * p] = apcr + bpdr;
    yi[4 * p] = apci + bpdi;
    yr[4 * p + 1] = w1r * ur - w1i * ui;
    yi[4 * p + 1] = w1r * ui + w1i * ur;
    yr[4 * p + 2] = w2r * vr - w2i * vi;
    yi[4 * p + 2] = w2r * vi + w2i * vr;
    yr[4 * p + 3] = w3r * tr - w3i * ti;
    yi[4 * p + 3] = w3r * ti + w3i * tr;
  }
}

// A later stage at stride `s` (a multiple of 4): the inner loop runs over q.
GRYM_HOT void Radix4Stage(int quarter, int s, const float* GRYM_RESTRICT xr, const float* GRYM_RESTRICT xi,
                          float* GRYM_RESTRICT yr, float* GRYM_RESTRICT yi, const float* GRYM_RESTRICT wr,
                          const float* GRYM_RESTRICT wi) {
  for (int p = 0; p < quarter; ++p) {
    const float w1r = wr[p], w1i = wi[p], w2r = wr[p + quarter], w2i = wi[p + quarter];
    const float w3r = wr[p + 2 * quarter], w3i = wi[p + 2 * quarter];
    const float* GRYM_RESTRICT inr = xr + static_cast<size_t>(s) * p;
    const float* GRYM_RESTRICT ini = xi + static_cast<size_t>(s) * p;
    float* GRYM_RESTRICT outr = yr + static_cast<size_t>(s) * 4 * p;
    float* GRYM_RESTRICT outi = yi + static_cast<size_t>(s) * 4 * p;
    const int step = s * quarter;
    for (int q = 0; q < s; ++q) {
      const float ar = inr[q], ai = ini[q], br = inr[q + step], bi = ini[q + step];
      const float cr = inr[q + 2 * step], ci = ini[q + 2 * step];
      const float dr = inr[q + 3 * step], di = ini[q + 3 * step];
      const float apcr = ar + cr, apci = ai + ci, amcr = ar - cr, amci = ai - ci;
      const float bpdr = br + dr, bpdi = bi + di, jr = -(bi - di), ji = br - dr;
      const float ur = amcr - jr, ui = amci - ji, vr = apcr - bpdr, vi = apci - bpdi, tr = amcr + jr, ti = amci + ji;
      outr[q] = apcr + bpdr;
      outi[q] = apci + bpdi;
      outr[q + s] = w1r * ur - w1i * ui;
      outi[q + s] = w1r * ui + w1i * ur;
      outr[q + 2 * s] = w2r * vr - w2i * vi;
      outi[q + 2 * s] = w2r * vi + w2i * vr;
      outr[q + 3 * s] = w3r * tr - w3i * ti;
      outi[q + 3 * s] = w3r * ti + w3i * tr;
    }
  }
}

GRYM_HOT void LastRadix2Stage(int s, const float* GRYM_RESTRICT xr, const float* GRYM_RESTRICT xi,
                              float* GRYM_RESTRICT yr, float* GRYM_RESTRICT yi) {
  for (int q = 0; q < s; ++q) {
    yr[q] = xr[q] + xr[q + s];
    yi[q] = xi[q] + xi[q + s];
    yr[q + s] = xr[q] - xr[q + s];
    yi[q + s] = xi[q] - xi[q + s];
  }
}

GRYM_HOT void Deinterleave(const float* GRYM_RESTRICT in, int pairs, float* GRYM_RESTRICT even,
                           float* GRYM_RESTRICT odd) {
  for (int i = 0; i < pairs; ++i) {
    even[i] = in[2 * i];
    odd[i] = in[2 * i + 1];
  }
}

}  // namespace

int NextPowerOfTwo(int value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}

RealFft::RealFft(int size) : size_(size), half_(size / 2) {
  for (int n = half_; n >= 4; n /= 4) {
    const int quarter = n / 4;
    for (int k = 1; k <= 3; ++k) {
      for (int p = 0; p < quarter; ++p) {
        const double angle = -2 * std::numbers::pi * k * p / n;
        twiddle_re_.push_back(static_cast<float>(std::cos(angle)));
        twiddle_im_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  pack_ = Turns(half_ / 2 + 1, size_);
  re_.resize(half_);
  im_.resize(half_);
  work_re_.resize(half_);
  work_im_.resize(half_);
  bins_.resize(bins());
}

void RealFft::Transform() {
  int n = half_, s = 1;
  const float* wr = twiddle_re_.data();
  const float* wi = twiddle_im_.data();
  while (n >= 4) {
    const int quarter = n / 4;
    if (s == 1) {
      FirstRadix4Stage(quarter, re_.data(), im_.data(), work_re_.data(), work_im_.data(), wr, wi);
    } else {
      Radix4Stage(quarter, s, re_.data(), im_.data(), work_re_.data(), work_im_.data(), wr, wi);
    }
    re_.swap(work_re_);
    im_.swap(work_im_);
    wr += 3 * quarter;
    wi += 3 * quarter;
    n = quarter;
    s *= 4;
  }
  if (n == 2) {
    LastRadix2Stage(s, re_.data(), im_.data(), work_re_.data(), work_im_.data());
    re_.swap(work_re_);
    im_.swap(work_im_);
  }
}

void RealFft::Forward(const float* in, std::complex<float>* out) {
  Deinterleave(in, half_, re_.data(), im_.data());
  Transform();
  const float* re = re_.data();
  const float* im = im_.data();
  out[0] = {re[0] + im[0], 0};
  out[half_] = {re[0] - im[0], 0};
  // X[k] = E[k] + w^k O[k] with E, O the spectra of the even and odd samples, read off Z[k] and Z[half - k].
  for (int k = 1; k <= half_ / 2; ++k) {
    const int m = half_ - k;
    const float er = 0.5f * (re[k] + re[m]), ei = 0.5f * (im[k] - im[m]);
    const float oddr = 0.5f * (im[k] + im[m]), oddi = -0.5f * (re[k] - re[m]);
    const float w_re = pack_[2 * k], w_im = pack_[2 * k + 1];
    const float tr = w_re * oddr - w_im * oddi, ti = w_re * oddi + w_im * oddr;
    out[k] = {er + tr, ei + ti};
    out[m] = {er - tr, -(ei - ti)};
  }
}

void RealFft::Power(const float* in, float* out) {
  Forward(in, bins_.data());
  for (int k = 0; k < bins(); ++k) out[k] = bins_[k].real() * bins_[k].real() + bins_[k].imag() * bins_[k].imag();
}

void RealFft::Inverse(const std::complex<float>* in, float* out) {
  // The packed spectrum again, with real and imaginary parts swapped: a forward transform of the swapped is the
  // swapped inverse.
  im_[0] = 0.5f * (in[0].real() + in[half_].real());
  re_[0] = 0.5f * (in[0].real() - in[half_].real());
  for (int k = 1; k <= half_ / 2; ++k) {
    const int m = half_ - k;
    const float er = 0.5f * (in[k].real() + in[m].real()), ei = 0.5f * (in[k].imag() - in[m].imag());
    const float tr = 0.5f * (in[k].real() - in[m].real()), ti = 0.5f * (in[k].imag() + in[m].imag());
    const float w_re = pack_[2 * k], w_im = pack_[2 * k + 1];
    const float oddr = w_re * tr + w_im * ti, oddi = w_re * ti - w_im * tr;
    im_[k] = er - oddi;
    re_[k] = ei + oddr;
    im_[m] = er + oddi;
    re_[m] = oddr - ei;
  }
  Transform();
  const float scale = 1.0f / static_cast<float>(half_);
  for (int i = 0; i < half_; ++i) {
    out[2 * i] = im_[i] * scale;
    out[2 * i + 1] = re_[i] * scale;
  }
}

}  // namespace grym
