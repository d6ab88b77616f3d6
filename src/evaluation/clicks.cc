#include "evaluation/clicks.h"

#include <algorithm>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kInnerS = 0.0002, kOuterS = 0.004;
constexpr float kAboveSurroundings = 20;
constexpr float kLeastClick = 0.003f;

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
  const int reach = (outer - inner) / 2, middle = inner + reach + 1;
  const std::vector<float> around = MovingMaximum(error, reach, reach);
  for (int64_t n = outer; n + outer < frames; ++n) {
    const float value = error[static_cast<size_t>(n)];
    if (value < kLeastClick || value < near[static_cast<size_t>(n)]) continue;
    const float sides = std::max(around[static_cast<size_t>(n - middle)], around[static_cast<size_t>(n + middle)]);
    if (value > kAboveSurroundings * sides && (clicks.empty() || n - clicks.back() > outer)) clicks.push_back(n);
  }
  return clicks;
}

}  // namespace grym
