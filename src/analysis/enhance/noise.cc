#include "analysis/enhance/noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "analysis/enhance/noise_bands.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kFrameS = 0.046;
constexpr size_t kLeastFrames = 32;          // 0.8 s: fewer give no quantiles to speak of
constexpr size_t kSmoothedFrames = 5;
constexpr float kNearFloor = 2.2f;           // 3.4 dB
constexpr double kLeastOccupancy = 0.2;
constexpr double kLeastFlatness = 0.45;      // a periodogram of noise has e^-0.577 = 0.56
constexpr double kMostSpreadDb = 3;
// Of the bands that are wide enough to tell noise from music. The shorter a recording, the likelier that music holds
// still for all of it, and the more bands must agree: half of them at 0.8 s, a quarter at 5 s.
constexpr double kLeastShare = 0.2, kLeastShareSeconds = 0.25;
constexpr int kTellingWidth = 8;             // bins
// Sum over bins of their squared correlation under a Hann window: how many bins tell as much as one.
constexpr double kBinsPerIndependent = 1.944;
constexpr double kMostFlatnessLost = 0.06;   // of the mean spectrum: a slope of 10 dB an octave takes 0.015
constexpr double kMostPersistence = 0.1;
// ln(20 % quantile / 5 % quantile) of a band's power, in its standard deviations as noise: 0.8 where noise alone is
// heard all the time, 1.3 where a third of the time.
constexpr double kMostLowerSpread = 1.3;
constexpr double kMostOffLineDb = 2;
constexpr double kBrownDbPerOctave = 6.02;

// Where the band lies near its floor, and how loud it is there.
struct FloorCandidate {
  std::vector<bool> near;  // [frame]; empty where the band's level alone tells that this is no noise
  double density = 0;
};

FloorCandidate FindFloor(const std::vector<float>& power, const std::vector<float>& flatness) {
  const std::vector<float> smooth = MovingMean(power, kSmoothedFrames / 2, kSmoothedFrames / 2);
  const std::span<const float> inner(smooth.data() + 2, smooth.size() - 4);
  const auto floor = static_cast<float>(Percentile(std::vector<float>(inner.begin(), inner.end()), 0.05));
  if (floor < 1e-14f) return {};
  FloorCandidate found;
  found.near.resize(power.size());
  std::vector<float> near_flatness;
  double sum = 0;
  for (size_t t = 0; t < inner.size(); ++t) {
    if (inner[t] > kNearFloor * floor) continue;
    found.near[t + 2] = true;
    near_flatness.push_back(flatness[t + 2]);
    sum += inner[t];
  }
  const auto near = static_cast<double>(near_flatness.size());
  if (near < kLeastOccupancy * static_cast<double>(inner.size())) return {};
  if (Median(std::move(near_flatness)) < kLeastFlatness) return {};
  const size_t segments = std::clamp<size_t>(inner.size() / 10, 3, 8);
  std::vector<double> floors_db;
  for (size_t s = 0; s < segments; ++s) {
    const size_t from = inner.size() * s / segments, until = inner.size() * (s + 1) / segments;
    std::vector<float> part(inner.begin() + static_cast<std::ptrdiff_t>(from),
                            inner.begin() + static_cast<std::ptrdiff_t>(until));
    floors_db.push_back(DbOfPower(Percentile(std::move(part), 0.1) + 1e-20));
  }
  if (Percentile(floors_db, 0.75) - Percentile(floors_db, 0) > kMostSpreadDb) return {};
  found.density = sum / near;
  return found;
}

// Whether the bins near the floor do what those of noise do, each bound widened by what chance does to so few of them.
bool HasNoiseTexture(const std::vector<float>& power, int width, const NoiseTexture& texture) {
  const double bins = width / kBinsPerIndependent;
  // Half-overlapping Hann frames tell about three quarters of what as many independent ones would.
  const double averaged = 0.75 * static_cast<double>(texture.frames) / texture.bin_variance;
  if (texture.mean_flatness < 1 - 0.5 / averaged - kMostFlatnessLost) return false;
  const double chance = 1 / std::sqrt(std::max(1.0, static_cast<double>(texture.pairs) * bins));
  if (texture.persistence > kMostPersistence + 2 * chance) return false;
  const double spread = std::log((Percentile(power, 0.2) + 1e-30) / (Percentile(power, 0.05) + 1e-30)) *
                        std::sqrt(bins / texture.bin_variance);
  return spread < kMostLowerSpread + 2 / std::sqrt(static_cast<double>(power.size()));
}

double TellingShare(const NoiseBands& bands, const std::vector<double>& noise) {
  double found = 0, telling = 0;
  for (size_t b = 0; b < bands.bands(); ++b) {
    if (bands.width(b) < kTellingWidth) continue;
    ++telling;
    if (noise[b] > 0) ++found;
  }
  return telling > 0 ? found / telling : 0;
}

// Per band the noise density, or 0 where there is no evidence for noise.
absl::StatusOr<std::vector<double>> NoiseInBands(const AudioBuffer& audio, const NoiseBands& bands,
                                                 double least_share, const RunOptions& run) {
  std::vector<double> noise(bands.bands(), 0.0);
  std::vector<std::vector<bool>> near(bands.bands());
  for (size_t b = 0; b < bands.bands(); ++b) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    FloorCandidate found = FindFloor(bands.power[b], bands.flatness[b]);
    noise[b] = found.density;
    near[b] = std::move(found.near);
  }
  // Where too few bands are left, the closer look cannot add any; most clean recordings are spared its time.
  if (TellingShare(bands, noise) < least_share) return std::vector<double>(bands.bands(), 0.0);
  GRYM_ASSIGN_OR_RETURN(const std::vector<NoiseTexture> textures, MeasureNoiseTexture(audio, bands, near, run));
  for (size_t b = 0; b < bands.bands(); ++b) {
    if (noise[b] > 0 && !HasNoiseTexture(bands.power[b], bands.width(b), textures[b])) noise[b] = 0;
  }
  return noise;
}

// What a 5 % quantile of a band's smoothed power must be divided by to give the mean, if all of it is noise: the bias
// of minimum statistics, by the cube-root approximation of the gamma distribution (Wilson and Hilferty 1931).
double LowQuantileOfNoise(int width) {
  const double shape = width / kBinsPerIndependent * 0.75 * static_cast<double>(kSmoothedFrames);
  return std::pow(std::max(0.1, 1 - 1 / (9 * shape) - 1.645 / (3 * std::sqrt(shape))), 3);
}

// The slope of the bands' levels over ln(frequency) by least squares, between brown and white; 0 where they do not lie
// on a line or span less than two octaves.
double NoiseSlope(const std::vector<double>& places, const std::vector<double>& levels_db) {
  if (places.size() < 4 || places.back() - places.front() < 2 * std::numbers::ln2) return 0;
  const double mean_place = Mean(places), mean_db = Mean(levels_db);
  double product = 0, squares = 0, rest = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    product += (places[i] - mean_place) * (levels_db[i] - mean_db);
    squares += (places[i] - mean_place) * (places[i] - mean_place);
  }
  const double slope = product / squares;
  for (size_t i = 0; i < places.size(); ++i)
    rest += std::pow(levels_db[i] - mean_db - slope * (places[i] - mean_place), 2);
  if (std::sqrt(rest / static_cast<double>(places.size())) > kMostOffLineDb) return 0;
  return std::clamp(slope, -kBrownDbPerOctave / std::numbers::ln2, 0.0);
}

// Bands with evidence give their density to the bins around their centres; between them it runs straight in dB over the
// logarithm of frequency; below the lowest it goes on with the slope of all, above the highest it is held, and nowhere
// is it above what the band itself shows in its quietest moments.
std::vector<float> SpreadOverBins(const NoiseBands& bands, const std::vector<double>& noise) {
  std::vector<double> places, levels_db;
  for (size_t b = 0; b < bands.bands(); ++b) {
    if (noise[b] <= 0) continue;
    places.push_back(std::log(0.5 * (bands.edges[b] + bands.edges[b + 1])));
    levels_db.push_back(DbOfPower(noise[b]));
  }
  const double slope = NoiseSlope(places, levels_db);
  std::vector<float> density;
  for (size_t b = 0; b < bands.bands(); ++b) {
    std::vector<float> shown = MovingMean(bands.power[b], kSmoothedFrames / 2, kSmoothedFrames / 2);
    const double most =
        std::max(noise[b], Percentile(std::move(shown), 0.05) / LowQuantileOfNoise(bands.width(b)));
    double sum = 0;
    for (int k = bands.edges[b]; k < bands.edges[b + 1]; ++k) {
      const double place = std::log(k + 0.5);
      const size_t above = static_cast<size_t>(std::lower_bound(places.begin(), places.end(), place) - places.begin());
      double level_db = above == 0 ? levels_db.front() + slope * (place - places.front()) : levels_db.back();
      if (above > 0 && above < places.size()) {
        const double part = (place - places[above - 1]) / (places[above] - places[above - 1]);
        level_db = levels_db[above - 1] * (1 - part) + levels_db[above] * part;
      }
      density.push_back(static_cast<float>(PowerOfDb(level_db)));
      sum += density.back();
    }
    const auto down = static_cast<float>(std::min(1.0, most * bands.width(b) / sum));
    for (auto k = static_cast<size_t>(bands.edges[b]); k < density.size(); ++k) density[k] *= down;
  }
  density.push_back(density.back());
  return density;
}

}  // namespace

absl::StatusOr<NoiseFacts> FindNoise(const AudioBuffer& audio, const RunOptions& run) {
  NoiseFacts facts;
  facts.noise_dbfs = facts.signal_dbfs = kMinusInfinityDb;
  facts.fft_size = NextPowerOfTwo(static_cast<int>(kFrameS * audio.rate_hz() * 0.75));
  if (audio.frames() < facts.fft_size / 2 * static_cast<int64_t>(kLeastFrames + 1)) return facts;
  GRYM_ASSIGN_OR_RETURN(const NoiseBands bands, MeasureNoiseBands(audio, facts.fft_size, run));
  facts.signal_dbfs = DbOfPower(bands.total);
  const double least_share = std::min(1.0, kLeastShare + kLeastShareSeconds / audio.duration_s());
  GRYM_ASSIGN_OR_RETURN(const std::vector<double> noise, NoiseInBands(audio, bands, least_share, run));
  double power = 0;
  for (size_t b = 0; b < bands.bands(); ++b) {
    if (noise[b] <= 0) continue;
    power += 2 * noise[b] * bands.width(b) / facts.fft_size;
  }
  facts.share = TellingShare(bands, noise);
  facts.noise_dbfs = DbOfPower(power);
  facts.found = facts.share >= least_share;
  if (facts.found) facts.density = SpreadOverBins(bands, noise);
  return facts;
}

}  // namespace grym
