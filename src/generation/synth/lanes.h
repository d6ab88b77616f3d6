// Four floats handled as one: the unit that modal banks and the reverb compute in.
#pragma once

namespace grym::synth {

#if defined(__GNUC__) || defined(__clang__)
using Lanes = float __attribute__((vector_size(16)));
inline Lanes Fill(float value) { return Lanes{value, value, value, value}; }
#else
struct Lanes {
  float v[4];
  float& operator[](int i) { return v[i]; }
  float operator[](int i) const { return v[i]; }
  friend Lanes operator+(Lanes a, const Lanes& b) {
    for (int i = 0; i < 4; ++i) a.v[i] += b.v[i];
    return a;
  }
  friend Lanes operator-(Lanes a, const Lanes& b) {
    for (int i = 0; i < 4; ++i) a.v[i] -= b.v[i];
    return a;
  }
  friend Lanes operator*(Lanes a, const Lanes& b) {
    for (int i = 0; i < 4; ++i) a.v[i] *= b.v[i];
    return a;
  }
  Lanes& operator+=(const Lanes& b) { return *this = *this + b; }
};
inline Lanes Fill(float value) { return Lanes{{value, value, value, value}}; }
#endif

inline float Sum(const Lanes& x) { return (x[0] + x[1]) + (x[2] + x[3]); }

}  // namespace grym::synth
