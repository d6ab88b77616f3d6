#include "dsp/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace grym {
namespace {

template <class T>
double PercentileOf(std::vector<T>& values, double fraction) {
  if (values.empty()) return 0;
  const double at = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const size_t low = static_cast<size_t>(at);
  std::nth_element(values.begin(), values.begin() + low, values.end());
  const double below = values[low];
  if (low + 1 >= values.size()) return below;
  const double above = *std::min_element(values.begin() + low + 1, values.end());
  return below + (above - below) * (at - static_cast<double>(low));
}

template <class T>
double MeanOf(std::span<const T> values) {
  double sum = 0;
  for (const T value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

template <class T>
double DeviationOf(std::span<const T> values) {
  const double mean = MeanOf(values);
  double sum = 0;
  for (const T value : values) sum += (value - mean) * (value - mean);
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace

double Percentile(std::vector<float> values, double fraction) { return PercentileOf(values, fraction); }
double Percentile(std::vector<double> values, double fraction) { return PercentileOf(values, fraction); }
double Mean(std::span<const float> values) { return MeanOf(values); }
double Mean(std::span<const double> values) { return MeanOf(values); }
double StandardDeviation(std::span<const float> values) { return DeviationOf(values); }
double StandardDeviation(std::span<const double> values) { return DeviationOf(values); }

double Correlation(std::span<const double> a, std::span<const double> b) {
  const double mean_a = Mean(a), mean_b = Mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

std::vector<float> MovingMaximum(std::span<const float> values, int before, int after) {
  const int64_t n = static_cast<int64_t>(values.size());
  std::vector<float> result(values.size());
  std::vector<int64_t> queue(values.size());  // indices of falling values; [head, tail)
  int64_t head = 0, tail = 0, next = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (; next < n && next <= i + after; ++next) {
      while (tail > head && values[queue[tail - 1]] <= values[next]) --tail;
      queue[tail++] = next;
    }
    while (queue[head] < i - before) ++head;
    result[i] = values[queue[head]];
  }
  return result;
}

std::vector<float> MovingMean(std::span<const float> values, int before, int after) {
  const int64_t n = static_cast<int64_t>(values.size());
  std::vector<double> prefix(values.size() + 1);
  for (int64_t i = 0; i < n; ++i) prefix[i + 1] = prefix[i] + values[i];
  std::vector<float> result(values.size());
  for (int64_t i = 0; i < n; ++i) {
    const int64_t from = std::max<int64_t>(0, i - before), to = std::min<int64_t>(n, i + after + 1);
    result[i] = static_cast<float>((prefix[to] - prefix[from]) / static_cast<double>(to - from));
  }
  return result;
}

}  // namespace grym
