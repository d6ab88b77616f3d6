#include "analysis/k_weighting.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace grym {
namespace {

constexpr int kStepsPerSecond = 10;
constexpr double kOffset_lu = -0.691;  // makes a 997 Hz sine at full scale -3.01 LUFS
constexpr double kSurroundWeight = 1.41;  // of what comes from the sides, at 60 to 120 degrees

// The analogue filters behind the coefficients that BS.1770 gives for 48 kHz, moved to any rate by the bilinear
// transform. Source: Neumann 2011 (libebur128), after Mansbridge, Finn and Reiss 2012.
BiquadCoefficients HeadShelf(double rate_hz) {
  constexpr double kHz = 1681.974450955533, kGain_db = 3.999843853973347, kQ = 0.7071752369554196;
  const double k = std::tan(std::numbers::pi * kHz / rate_hz), high = std::pow(10, kGain_db / 20),
               band = std::pow(high, 0.4996667741545416), a0 = 1 + k / kQ + k * k;
  return {(high + band * k / kQ + k * k) / a0, 2 * (k * k - high) / a0, (high - band * k / kQ + k * k) / a0,
          2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
}

BiquadCoefficients RlbHighPass(double rate_hz) {
  constexpr double kHz = 38.13547087602444, kQ = 0.5003270373238773;
  const double k = std::tan(std::numbers::pi * kHz / rate_hz), a0 = 1 + k / kQ + k * k;
  return {1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
}

double WeightOf(int channel, int channels) {
  if (channels == 4 || channels == 5) return channel >= channels - 2 ? kSurroundWeight : 1;  // no LFE
  if (channels >= 6 && channel == 3) return 0;                                               // LFE
  const int side = channels == 7 ? 5 : channels >= 8 ? 6 : 4;  // 6.1 and 7.1 have the backs before the sides
  return channels >= 6 && channel >= side && channel < side + 2 ? kSurroundWeight : 1;
}

// A decaying tail must not run on denormal numbers, which cost a hundred times as much; and what is no number must not
// stay for ever.
void Flush(double& state) {
  if (!(std::abs(state) >= 1e-30 && std::abs(state) < 1e300)) state = 0;
}

// Of `sum` over the steps (last - count, last].
double MeanOfSteps(double sum, int64_t last, int64_t count, int rate_hz) {
  const int64_t from = (last - count + 1) * rate_hz / kStepsPerSecond, to = (last + 1) * rate_hz / kStepsPerSecond;
  return to > from ? sum / static_cast<double>(to - from) : 0;
}

double MeanEnergy(const KWeightedSums& sums, int64_t last, int64_t count) {
  double sum = 0;
  for (int64_t i = last - count + 1; i <= last; ++i) sum += sums.steps()[static_cast<size_t>(i)];
  return MeanOfSteps(sum, last, count, sums.rate_hz());
}

// Energies of all windows of `count` steps that pass the gate at -70 LUFS.
std::vector<double> AudibleWindows(const KWeightedSums& sums, int64_t count) {
  std::vector<double> energies;
  const double gate = EnergyOfLufs(-70);
  for (int64_t last = count - 1; last < std::ssize(sums.steps()); ++last) {
    const double energy = MeanEnergy(sums, last, count);
    if (energy >= gate) energies.push_back(energy);
  }
  return energies;
}

// Leaves what is at least `relative` times the mean.
void Gate(std::vector<double>& energies, double relative) {
  double sum = 0;
  for (const double energy : energies) sum += energy;
  const double gate = relative * sum / static_cast<double>(std::max<size_t>(1, energies.size()));
  std::erase_if(energies, [gate](double energy) { return energy < gate; });
}

}  // namespace

double EnergyOfLufs(double lufs) { return std::pow(10, (lufs - kOffset_lu) / 10); }
double LufsOfEnergy(double energy) {
  return energy > 0 ? 10 * std::log10(energy) + kOffset_lu : -std::numeric_limits<double>::infinity();
}

KWeightedSums::KWeightedSums(int channels, int rate_hz)
    : rate_hz_(rate_hz), shelf_(HeadShelf(rate_hz)), high_pass_(RlbHighPass(rate_hz)), lanes_(channels) {
  for (int c = 0; c < channels; ++c) lanes_[static_cast<size_t>(c)].weight = WeightOf(c, channels);
}

// Both filters in transposed direct form II, `kCount` channels side by side: a recursion waits for itself, so a second
// one costs next to nothing.
template <size_t kCount>
void KWeightedSums::Advance(Lane* lanes, const float* const* channels, int64_t at, int64_t frames) const {
  const BiquadCoefficients s = shelf_, h = high_pass_;
  const float* samples[kCount];
  double s1[kCount], s2[kCount], h1[kCount], h2[kCount], sum[kCount];
  for (size_t i = 0; i < kCount; ++i) {
    samples[i] = channels[i] + at;
    s1[i] = lanes[i].shelf_1, s2[i] = lanes[i].shelf_2;
    h1[i] = lanes[i].high_pass_1, h2[i] = lanes[i].high_pass_2;
    sum[i] = lanes[i].sum;
  }
  for (int64_t n = 0; n < frames; ++n) {
    for (size_t i = 0; i < kCount; ++i) {
      const double x = samples[i][n], y = s.b0 * x + s1[i];
      s1[i] = s.b1 * x - s.a1 * y + s2[i];
      s2[i] = s.b2 * x - s.a2 * y;
      const double z = y + h1[i];
      h1[i] = -2 * y - h.a1 * z + h2[i];
      h2[i] = y - h.a2 * z;
      sum[i] += z * z;
    }
  }
  for (size_t i = 0; i < kCount; ++i) {
    lanes[i].shelf_1 = s1[i], lanes[i].shelf_2 = s2[i];
    lanes[i].high_pass_1 = h1[i], lanes[i].high_pass_2 = h2[i];
    lanes[i].sum = sum[i];
  }
}

void KWeightedSums::Push(std::span<const float* const> channels, int64_t frames) {
  for (int64_t at = 0; at < frames;) {
    const int64_t next = (closed_ + 1) * rate_hz_ / kStepsPerSecond;
    const int64_t count = std::min(frames - at, next - frames_);
    for (size_t c = 0; c < lanes_.size(); ++c) {
      if (lanes_[c].weight == 0) continue;
      if (c + 1 < lanes_.size() && lanes_[c + 1].weight > 0) {
        Advance<2>(&lanes_[c], &channels[c], at, count);
        ++c;
      } else {
        Advance<1>(&lanes_[c], &channels[c], at, count);
      }
    }
    frames_ += count;
    at += count;
    if (frames_ == next) CloseStep();
  }
}

void KWeightedSums::CloseStep() {
  double sum = 0;
  for (Lane& lane : lanes_) {
    if (std::isfinite(lane.sum)) sum += lane.weight * lane.sum;
    lane.sum = 0;
    // Here alone, so that the size of blocks changes no bit.
    for (double* state : {&lane.shelf_1, &lane.shelf_2, &lane.high_pass_1, &lane.high_pass_2}) Flush(*state);
  }
  if (closed_ < most_steps_) steps_.push_back(sum);
  recent_[static_cast<size_t>(closed_ % kRecent)] = sum;
  ++closed_;
}

void KWeightedSums::Reserve(int64_t most_steps) {
  most_steps_ = most_steps;
  steps_.reserve(static_cast<size_t>(most_steps));
}

double KWeightedSums::RecentEnergy(int64_t last, int64_t count) const {
  double sum = 0;
  for (int64_t i = last - count + 1; i <= last; ++i) sum += recent_[static_cast<size_t>(i % kRecent)];
  return MeanOfSteps(sum, last, count, rate_hz_);
}

double LufsOfSteps(const KWeightedSums& sums, int64_t last, int64_t count) {
  if (last + 1 < count || last >= std::ssize(sums.steps())) return -std::numeric_limits<double>::infinity();
  return LufsOfEnergy(MeanEnergy(sums, last, count));
}

double IntegratedLufsOf(const KWeightedSums& sums) {
  std::vector<double> energies = AudibleWindows(sums, kMomentarySteps);
  Gate(energies, 0.1);
  double sum = 0;
  for (const double energy : energies) sum += energy;
  return LufsOfEnergy(energies.empty() ? 0 : sum / static_cast<double>(energies.size()));
}

double LoudnessRangeOf(const KWeightedSums& sums) {
  std::vector<double> energies = AudibleWindows(sums, kShortTermSteps);
  Gate(energies, 0.01);
  if (energies.empty()) return 0;
  std::sort(energies.begin(), energies.end());
  const auto at = [&](double share) {
    return energies[static_cast<size_t>(static_cast<double>(energies.size() - 1) * share + 0.5)];
  };
  return LufsOfEnergy(at(0.95)) - LufsOfEnergy(at(0.10));
}

}  // namespace grym
