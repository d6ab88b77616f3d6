#include "dsp/mel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"

namespace grym {
namespace {
constexpr double kMelHzPerStep = 200.0 / 3, kMelBreakHz = 1000, kMelBreak = kMelBreakHz / kMelHzPerStep;
const double kMelLogStep = std::log(6.4) / 27;

GRYM_INLINE void WeightedSum(const float* values, const float* weights, int count, float* out) {
  const EightLanes* in = reinterpret_cast<const EightLanes*>(values);
  EightLanes even = {}, odd = {};
  int i = 0;
  for (; i + 2 <= count; i += 2) {
    even = even + weights[i] * in[i];
    odd = odd + weights[i + 1] * in[i + 1];
  }
  if (i < count) even = even + weights[i] * in[i];
  *reinterpret_cast<EightLanes*>(out) = even + odd;
}

GRYM_HOT void WeightedSumOfLanes(const float* values, const float* weights, int count, float* out) {
  WeightedSum(values, weights, count, out);
}

GRYM_HOT void RunsOfLanes(const float* values, const float* weights, const FilterBank::Run* runs, size_t count,
                          float* out) {
  for (size_t band = 0; band < count; ++band) {
    const FilterBank::Run& run = runs[band];
    WeightedSum(values + static_cast<std::ptrdiff_t>(run.first) * kLanes, weights + run.offset, run.count,
                out + static_cast<std::ptrdiff_t>(band) * kLanes);
  }
}

}  // namespace

double MelOfHz(double hz) {
  return hz < kMelBreakHz ? hz / kMelHzPerStep : kMelBreak + std::log(hz / kMelBreakHz) / kMelLogStep;
}

double HzOfMel(double mel) {
  return mel < kMelBreak ? mel * kMelHzPerStep : kMelBreakHz * std::exp(kMelLogStep * (mel - kMelBreak));
}

double HtkMelOfHz(double hz) { return 2595 * std::log10(1 + hz / 700); }
double HzOfHtkMel(double mel) { return 700 * (std::pow(10.0, mel / 2595) - 1); }

void FilterBank::Add(double left, double centre, double right, double bin_hz, int bins, double scale) {
  Run run;
  run.offset = static_cast<int>(weights_.size());
  run.centre_hz = centre;
  const int first = std::max(0, static_cast<int>(std::floor(left / bin_hz)));
  for (int bin = first; bin < bins && bin * bin_hz <= right; ++bin) {
    const double hz = bin * bin_hz;
    const double weight = std::min((hz - left) / (centre - left), (right - hz) / (right - centre));
    if (weight <= 0) continue;
    if (run.count == 0) run.first = bin;
    weights_.push_back(static_cast<float>(weight * scale));
    ++run.count;
  }
  runs_.push_back(run);
}

FilterBank FilterBank::Mel(int rate_hz, int size, int bands, double low_hz, double high_hz) {
  FilterBank bank;
  const double low = MelOfHz(low_hz), step = (MelOfHz(high_hz) - low) / (bands + 1);
  for (int band = 0; band < bands; ++band) {
    const double left = HzOfMel(low + band * step), centre = HzOfMel(low + (band + 1) * step);
    const double right = HzOfMel(low + (band + 2) * step);
    bank.Add(left, centre, right, static_cast<double>(rate_hz) / size, size / 2 + 1, 2 / (right - left));
  }
  return bank;
}

FilterBank FilterBank::HtkMel(int rate_hz, int size, int bands, double low_hz, double high_hz) {
  FilterBank bank;
  const double low = HtkMelOfHz(low_hz), step = (HtkMelOfHz(high_hz) - low) / (bands + 1);
  for (int band = 0; band < bands; ++band) {
    const double left = HzOfHtkMel(low + band * step), centre = HzOfHtkMel(low + (band + 1) * step);
    bank.Add(left, centre, HzOfHtkMel(low + (band + 2) * step), static_cast<double>(rate_hz) / size, size / 2 + 1, 1);
  }
  return bank;
}

FilterBank FilterBank::LogFrequency(int rate_hz, int size, int per_octave, double low_hz, double high_hz) {
  const double bin_hz = static_cast<double>(rate_hz) / size;
  std::vector<int> centres;
  const double last_hz = std::min(high_hz, rate_hz / 2.0);
  for (int i = 0; low_hz * std::exp2(static_cast<double>(i) / per_octave) <= last_hz; ++i) {
    const int bin = static_cast<int>(std::lround(low_hz * std::exp2(static_cast<double>(i) / per_octave) / bin_hz));
    if (bin > 0 && bin < size / 2 && (centres.empty() || bin > centres.back())) centres.push_back(bin);
  }
  FilterBank bank;
  for (size_t i = 1; i + 1 < centres.size(); ++i) {
    const double left = centres[i - 1] * bin_hz, centre = centres[i] * bin_hz, right = centres[i + 1] * bin_hz;
    bank.Add(left, centre, right, bin_hz, size / 2 + 1, 2 * bin_hz / (right - left));
  }
  return bank;
}

int FilterBank::end_bin() const {
  int end = 0;
  for (const Run& run : runs_) end = std::max(end, run.first + run.count);
  return end;
}

void FilterBank::Apply(const float* spectrum, float* out) const {
  for (size_t band = 0; band < runs_.size(); ++band) {
    const Run& run = runs_[band];
    const float* weight = weights_.data() + run.offset;
    const float* value = spectrum + run.first;
    float sums[4] = {};  // four chains, so that additions overlap; the order is fixed
    int i = 0;
    for (; i + 4 <= run.count; i += 4) {
      for (int lane = 0; lane < 4; ++lane) sums[lane] += weight[i + lane] * value[i + lane];
    }
    for (; i < run.count; ++i) sums[0] += weight[i] * value[i];
    out[band] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

void FilterBank::ApplyToLanes(const float* spectrum, float* out) const {
  RunsOfLanes(spectrum, weights_.data(), runs_.data(), runs_.size(), out);
}

CosineTransform::CosineTransform(int inputs, int outputs) : inputs_(inputs), outputs_(outputs) {
  const int blocks = (outputs + kLanes - 1) / kLanes;
  for (int k = 0; k < blocks * kLanes; k += kLanes) {
    for (int n = 0; n < inputs; ++n) {
      for (int lane = k; lane < k + kLanes; ++lane) {
        const double scale = std::sqrt((lane == 0 ? 1.0 : 2.0) / inputs);
        matrix_.push_back(static_cast<float>(scale * std::cos(std::numbers::pi * lane * (n + 0.5) / inputs)));
      }
    }
  }
}

void CosineTransform::Apply(const float* in, float* out) const {
  for (int k = 0; k < outputs_; k += kLanes) {
    float lanes[kLanes];
    WeightedSumOfLanes(matrix_.data() + static_cast<std::ptrdiff_t>(k) * inputs_, in, inputs_, lanes);
    std::copy(lanes, lanes + std::min(kLanes, outputs_ - k), out + k);
  }
}

}  // namespace grym
