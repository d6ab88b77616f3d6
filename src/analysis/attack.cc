#include "analysis/attack.h"

#include <algorithm>
#include <cmath>

namespace grym {
namespace {

float LargestBetween(const Envelope& envelope, const float* series, double from_s, double to_s) {
  const int64_t from = std::clamp<int64_t>(std::lround(from_s * envelope.rate_hz), envelope.first, envelope.end),
                to = std::clamp<int64_t>(std::lround(to_s * envelope.rate_hz), from, envelope.end);
  return from < to ? *std::max_element(series + (from - envelope.first), series + (to - envelope.first)) : 0.0f;
}

}  // namespace

double RefineByAttack(const Envelope& envelope, double time_s) {
  const int64_t centre = std::lround(time_s * envelope.rate_hz);
  const int64_t reach = std::lround(0.025 * envelope.rate_hz);
  const auto attack = [&](int64_t i) { return envelope.attack[i - envelope.first]; };
  double best_ratio = 4;  // 12 dB within 1.5 ms over the 10 ms before: a percussive attack
  int64_t best = -1;
  for (int64_t i = std::max<int64_t>({1, envelope.first, centre - reach});
       i <= std::min(envelope.end - 1, centre + reach); ++i) {
    double before = 1e-6;
    for (int64_t j = std::max(envelope.first, i - 7); j < i; ++j) before = std::max<double>(before, attack(j));
    const double ratio = attack(i) / before;
    if (ratio > best_ratio) {
      best_ratio = ratio;
      best = i;
    }
  }
  return best < 0 ? time_s : static_cast<double>(best) / envelope.rate_hz;
}

bool IsAnEnd(const Envelope& envelope, double time_s) {
  const auto falls = [&](const float* series, float share) {
    const float before = LargestBetween(envelope, series, time_s - 0.045, time_s - 0.005);
    const float after = LargestBetween(envelope, series, time_s + 0.010, time_s + 0.045);
    return after < share * before;
  };
  // Long enough for half a period of the lowest tone.
  const float just_before = LargestBetween(envelope, envelope.level, time_s - 0.025, time_s - 0.003);
  const float now = LargestBetween(envelope, envelope.level, time_s - 0.003, time_s + 0.006);
  return falls(envelope.level, 0.25f) && falls(envelope.attack, 2) && now < 2 * just_before;
}

bool IsHeard(const Envelope& envelope, double time_s, double loud) {
  const float level = LargestBetween(envelope, envelope.level, time_s - 0.005, time_s + 0.05);
  return level >= (time_s < 0.02 ? 0.05 : 0.01) * loud;
}

double PeakShift(double before, double peak, double after) {
  const double curve = before - 2 * peak + after;
  return curve < -1e-9 ? std::clamp(0.5 * (before - after) / curve, -0.5, 0.5) : 0;
}

}  // namespace grym
