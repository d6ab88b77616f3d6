// Order statistics and moments of plain series.
#pragma once
#include <span>
#include <vector>

namespace grym {

// Linear interpolation between order statistics, `fraction` in [0, 1]; 0 for an empty series. Takes a copy.
double Percentile(std::vector<float> values, double fraction);
double Percentile(std::vector<double> values, double fraction);
inline double Median(std::vector<float> values) { return Percentile(std::move(values), 0.5); }
inline double Median(std::vector<double> values) { return Percentile(std::move(values), 0.5); }

double Mean(std::span<const float> values);                // 0 for an empty series
double Mean(std::span<const double> values);
double StandardDeviation(std::span<const float> values);   // of the population; 0 for an empty series
double StandardDeviation(std::span<const double> values);
// Pearson's correlation; 0 where one side does not vary. Requires equal sizes.
double Correlation(std::span<const double> a, std::span<const double> b);

// Running maximum over [i - before, i + after], clipped at the ends; linear time (monotonic queue).
std::vector<float> MovingMaximum(std::span<const float> values, int before, int after);
// Running mean over the same kind of window; prefix sums in double.
std::vector<float> MovingMean(std::span<const float> values, int before, int after);

}  // namespace grym
