// Random numbers that are the same on every machine: SplitMix64 to spread a seed, xoshiro256++ to draw.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace grym {

// Source: Steele, Lea, Flood 2014 (SplitMix64).
inline uint64_t SplitMix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// FNV-1a, to derive a stream from a name: Random(seed, "drums").
inline uint64_t HashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

// Source: Blackman and Vigna 2019 (xoshiro256++ 1.0). std:: distributions differ between libraries; these do not.
class Random {
 public:
  explicit Random(uint64_t seed, std::string_view stream = "") {
    uint64_t state = seed ^ (stream.empty() ? 0 : HashName(stream));
    for (uint64_t& word : state_) word = SplitMix64(state);
  }
  // Where it stands, and one that goes on from there; nothing for all zeros, which xoshiro never leaves.
  const std::array<uint64_t, 4>& state() const { return state_; }
  static std::optional<Random> FromState(const std::array<uint64_t, 4>& state) {
    if ((state[0] | state[1] | state[2] | state[3]) == 0) return std::nullopt;
    Random random(0);
    random.state_ = state;
    return random;
  }
  uint64_t Next() {
    const auto rotate = [](uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
    const uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1)
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  int64_t Below(int64_t n) { return static_cast<int64_t>(Uniform() * static_cast<double>(n)); }  // [0, n), n > 0
  bool Chance(double probability) { return Uniform() < probability; }
  // Box-Muller; the second value is thrown away so that each draw costs the same.
  double Normal() {
    const double u = 1.0 - Uniform(), v = Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

 private:
  std::array<uint64_t, 4> state_{};
};

}  // namespace grym
