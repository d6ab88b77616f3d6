#include "evaluation/clicks.h"

#include <algorithm>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kInnerS = 0.0002, kOuterS = 0.004;
constexpr float kAboveSurroundings = 20;
constexpr float kLeastClick = 0.003f;
constexpr double kLongestPeriodS = 0.045;  // of a tone: 22 Hz
constexpr double kSameShape = 0.7;

// Correlation of the signal around two frames, mean removed, in [-1, 1].
double ShapeLikeness(std::span<const float> channel, int64_t a, int64_t b, int reach) {
  double mean_a = 0, mean_b = 0;
  for (int k = -reach; k <= reach; ++k) {
    mean_a += channel[static_cast<size_t>(a + k)];
    mean_b += channel[static_cast<size_t>(b + k)];
  }
  mean_a /= 2 * reach + 1;
  mean_b /= 2 * reach + 1;
  double dot = 0, power_a = 1e-12, power_b = 1e-12;
  for (int k = -reach; k <= reach; ++k) {
    const double x = channel[static_cast<size_t>(a + k)] - mean_a, y = channel[static_cast<size_t>(b + k)] - mean_b;
    dot += x * y;
    power_a += x * x;
    power_b += y * y;
  }
  return dot / std::sqrt(power_a * power_b);
}

// Whether the jump at `n` is the edge of a waveform: a low saw or pulse jumps once a period, and looks the same there.
bool IsWaveformEdge(std::span<const float> channel, const std::vector<float>& error, int64_t n, int reach,
                    int longest) {
  const auto frames = static_cast<int64_t>(channel.size());
  for (int64_t lag = reach; lag <= longest; ++lag) {
    for (const int64_t other : {n - lag, n + lag}) {
      if (other < reach || other + reach >= frames ||
          error[static_cast<size_t>(other)] < 0.25f * error[static_cast<size_t>(n)])
        continue;
      if (ShapeLikeness(channel, n, other, reach) > kSameShape) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<int64_t> FindClicks(std::span<const float> channel, int rate_hz) {
  std::vector<int64_t> clicks;
  const auto inner = static_cast<int>(std::max(4.0, std::round(kInnerS * rate_hz)));
  const auto outer = static_cast<int>(std::max(16.0, std::round(kOuterS * rate_hz)));
  const auto frames = static_cast<int64_t>(channel.size());
  if (frames < 4 * outer) return clicks;
  std::vector<float> error(channel.size(), 0.0f);
  for (size_t n = 3; n < channel.size(); ++n) {
    error[n] = std::abs(channel[n] - 3 * channel[n - 1] + 3 * channel[n - 2] - channel[n - 3]);
  }
  const std::vector<float> near = MovingMaximum(error, inner, inner);
  const int longest = static_cast<int>(kLongestPeriodS * rate_hz);
  const int reach = (outer - inner) / 2, middle = inner + reach + 1;
  const std::vector<float> around = MovingMaximum(error, reach, reach);
  for (int64_t n = outer; n + outer < frames; ++n) {
    const float value = error[static_cast<size_t>(n)];
    if (value < kLeastClick || value < near[static_cast<size_t>(n)]) continue;
    const float sides = std::max(around[static_cast<size_t>(n - middle)], around[static_cast<size_t>(n + middle)]);
    if (value <= kAboveSurroundings * sides || (!clicks.empty() && n - clicks.back() <= outer)) continue;
    if (!IsWaveformEdge(channel, error, n, outer, longest)) clicks.push_back(n);
  }
  return clicks;
}

}  // namespace grym
