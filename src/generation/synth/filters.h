// Filters whose corner moves while they run: topology-preserving state-variable and ladder filters, one-pole DC
// blocker. Source: Zavalishin, "The Art of VA Filter Design" 2.1.2, sections 3-5; Simper, "Linear Trapezoidal SVF"
// (2013).
#pragma once
#include <algorithm>
#include <cmath>

#include "generation/synth/block.h"
#include "generation/synth/lanes.h"

namespace grym::synth {

struct SvfCoefficients {
  float a1 = 0, a2 = 0, a3 = 0, k = 1;
  static SvfCoefficients Of(float cutoff_hz, float q, float rate_hz) {
    const float fc = std::clamp(cutoff_hz, 10.0f, 0.45f * rate_hz);
    const float g = std::tan(3.14159265f * fc / rate_hz);
    SvfCoefficients c;
    c.k = 1.0f / q;
    c.a1 = 1.0f / (1.0f + g * (g + c.k));
    c.a2 = g * c.a1;
    c.a3 = g * c.a2;
    return c;
  }
};

// One channel, a sample at a time.
class Svf {
 public:
  struct Out {
    float low, band, high;
  };  // band is scaled to unity gain at the centre
  Out Step(float x, const SvfCoefficients& c) {
    const float v3 = x - s2_;
    const float v1 = c.a1 * s1_ + c.a2 * v3;
    const float v2 = s2_ + c.a2 * s1_ + c.a3 * v3;
    s1_ = 2 * v1 - s1_;
    s2_ = 2 * v2 - s2_;
    return {v2, v1 * c.k, x - c.k * v1 - v2};
  }

 private:
  float s1_ = 0, s2_ = 0;
};

// The same filter over a block of two channels side by side, written as a matrix on its two states: half the latency.
class StereoSvf {
 public:
  // In place; `right` may be null.
  void Low(const SvfCoefficients& c, float* left, float* right) {
    const Lanes m11 = Fill(2 * c.a1 - 1), m12 = Fill(2 * c.a2), m22 = Fill(1 - 2 * c.a3), b2 = Fill(2 * c.a3);
    const Lanes o1 = Fill(c.a2), o2 = Fill(1 - c.a3), d = Fill(c.a3);
    Lanes s1 = s1_, s2 = s2_;
    for (int i = 0; i < kBlockFrames; ++i) {
      Lanes x = Fill(0);
      x[0] = left[i];
      if (right) x[1] = right[i];
      const Lanes y = d * x + (o1 * s1 + o2 * s2);
      const Lanes next = m11 * s1 + m12 * (x - s2);
      s2 = m22 * s2 + (m12 * s1 + b2 * x);
      s1 = next;
      left[i] = y[0];
      if (right) right[i] = y[1];
    }
    s1_ = s1;
    s2_ = s2;
  }

 private:
  Lanes s1_ = Fill(0), s2_ = Fill(0);
};

// x / sqrt(1 + x^2) with first-order antiderivative anti-aliasing. Source: Parker, Zavalishin, Le Bivic, DAFx 2016.
// The antiderivative is sqrt(1 + x^2), so the divided difference is (a + b) / (F(a) + F(b)): never ill-conditioned.
class SoftClip {
 public:
  // The curve itself, and a start as if `x` had been the input for ever.
  static float Curve(float x) { return x / std::sqrt(1 + x * x); }
  void Rest(float x) { before_ = x; }
  void Run(float gain_in, float gain_out, float* x) {
    float before = before_;
    float root_before = std::sqrt(1 + before * before);
    for (int i = 0; i < kBlockFrames; ++i) {
      const float now = x[i] * gain_in;
      const float root = std::sqrt(1 + now * now);
      x[i] = gain_out * (now + before) / (root + root_before);
      before = now;
      root_before = root;
    }
    before_ = before;
  }

 private:
  float before_ = 0;
};

// Four one-poles with feedback and a saturating input, 24 dB an octave.
class Ladder {
 public:
  // `resonance` in [0, 1]; 1 is the edge of self-oscillation.
  void Run(float cutoff_hz, float resonance, float rate_hz, float* x) {
    const float g = std::tan(3.14159265f * std::clamp(cutoff_hz, 10.0f, 0.42f * rate_hz) / rate_hz);
    const float gg = g / (1 + g), k = 3.9f * resonance;
    const float rest = 1 / (1 + g);
    const float g2 = gg * gg, solve = 1 / (1 + k * g2 * g2);
    for (int i = 0; i < kBlockFrames; ++i) {
      const float s = rest * (g2 * gg * s_[0] + g2 * s_[1] + gg * s_[2] + s_[3]);
      float u = (x[i] * (1 + 0.5f * k) - k * s) * solve;
      u = u / std::sqrt(1 + 0.25f * u * u);
      for (float& state : s_) {
        const float v = (u - state) * gg;
        u = v + state;
        state = u + v;
      }
      x[i] = u;
    }
  }

 private:
  float s_[4] = {0, 0, 0, 0};
};

// Both channels: y[n] = x[n] - x[n-1] + pole * y[n-1].
class DcBlock {
 public:
  void Run(float pole, float* left, float* right) {
    const Lanes r = Fill(pole);
    Lanes before = x_, y = y_;
    for (int i = 0; i < kBlockFrames; ++i) {
      Lanes x = Fill(0);
      x[0] = left[i];
      x[1] = right[i];
      y = (x - before) + r * y;
      before = x;
      left[i] = y[0];
      right[i] = y[1];
    }
    x_ = before;
    y_ = y;
  }

 private:
  Lanes x_ = Fill(0), y_ = Fill(0);
};

}  // namespace grym::synth
