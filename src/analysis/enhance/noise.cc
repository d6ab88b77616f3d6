#include "analysis/enhance/noise.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr double kNoiseLeastS = 2;
constexpr double kFrameS = 0.046;
constexpr size_t kSmoothedFrames = 5;
constexpr float kNearFloor = 2.2f;           // 3.4 dB
constexpr double kLeastOccupancy = 0.2;
constexpr double kLeastFlatness = 0.45;      // a periodogram of noise has e^-0.577 = 0.56
constexpr double kMostSpreadDb = 3;
constexpr size_t kNoiseSegments = 8;
constexpr double kLeastShare = 0.2;

struct BandSeries {
  std::vector<int> edges;                  // bins; band b is [edges[b], edges[b + 1])
  std::vector<std::vector<float>> power;   // [band][frame], mean density
  std::vector<std::vector<float>> flatness;
  double total = 0;                        // mean power of the whole
  size_t bands() const { return edges.size() - 1; }
  size_t frames() const { return power.empty() ? 0 : power[0].size(); }
};

std::vector<int> NoiseBandEdges(int size) {
  std::vector<int> edges = {0, 4};
  while (edges.back() < size / 2) {
    edges.push_back(std::min(size / 2, std::max(edges.back() + 4, static_cast<int>(edges.back() * 1.1892))));
  }
  return edges;
}

absl::StatusOr<BandSeries> MeasureBands(const AudioBuffer& audio, int size, const RunOptions& run) {
  BandSeries series;
  series.edges = NoiseBandEdges(size);
  series.power.resize(series.bands());
  series.flatness.resize(series.bands());
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  const float scale = 1.0f / (0.375f * static_cast<float>(size) * static_cast<float>(audio.channels()));
  std::vector<float> framed(static_cast<size_t>(size)), one(static_cast<size_t>(fft.bins())), power(one.size());
  int64_t taken = 0;
  for (int64_t start = 0; start + size <= audio.frames(); start += size / 2, ++taken) {
    if (taken % 64 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(power.begin(), power.end(), 0.0f);
    for (int c = 0; c < audio.channels(); ++c) {
      const float* samples = audio.channel(c).data() + start;
      for (size_t n = 0; n < framed.size(); ++n) framed[n] = samples[n] * window[n];
      fft.Power(framed.data(), one.data());
      for (size_t k = 0; k < power.size(); ++k) power[k] += scale * one[k];
    }
    for (size_t b = 0; b < series.bands(); ++b) {
      double sum = 0, logs = 0;
      for (int k = series.edges[b]; k < series.edges[b + 1]; ++k) {
        sum += power[static_cast<size_t>(k)];
        logs += std::log(power[static_cast<size_t>(k)] + 1e-20f);
      }
      const double width = series.edges[b + 1] - series.edges[b], mean = sum / width;
      series.power[b].push_back(static_cast<float>(mean));
      series.flatness[b].push_back(static_cast<float>(std::exp(logs / width) / (mean + 1e-20)));
      series.total += 2 * sum / size;
    }
  }
  if (taken > 0) series.total /= static_cast<double>(taken);
  return series;
}

// The band's noise density, or 0 where there is no evidence for noise.
double SteadyFloor(const std::vector<float>& power, const std::vector<float>& flatness) {
  const std::vector<float> smooth = MovingMean(power, kSmoothedFrames / 2, kSmoothedFrames / 2);
  const std::span<const float> inner(smooth.data() + 2, smooth.size() - 4);
  const auto floor = static_cast<float>(Percentile(std::vector<float>(inner.begin(), inner.end()), 0.05));
  if (floor < 1e-14f) return 0;
  std::vector<float> near_flatness;
  double sum = 0;
  for (size_t t = 0; t < inner.size(); ++t) {
    if (inner[t] > kNearFloor * floor) continue;
    near_flatness.push_back(flatness[t + 2]);
    sum += inner[t];
  }
  const auto near = static_cast<double>(near_flatness.size());
  if (near < kLeastOccupancy * static_cast<double>(inner.size())) return 0;
  if (Median(std::move(near_flatness)) < kLeastFlatness) return 0;
  std::vector<double> floors_db;
  for (size_t s = 0; s < kNoiseSegments; ++s) {
    const size_t from = inner.size() * s / kNoiseSegments, until = inner.size() * (s + 1) / kNoiseSegments;
    std::vector<float> part(inner.begin() + static_cast<std::ptrdiff_t>(from),
                            inner.begin() + static_cast<std::ptrdiff_t>(until));
    floors_db.push_back(DbOfPower(Percentile(std::move(part), 0.1) + 1e-20));
  }
  if (Percentile(floors_db, 0.75) - Percentile(floors_db, 0) > kMostSpreadDb) return 0;
  return sum / near;
}

// Bands with evidence give their density to the bins around their centres; between them it runs straight in dB over the
// logarithm of frequency; beyond the outermost it is held, but nowhere above what the band itself ever shows.
std::vector<float> SpreadOverBins(const BandSeries& series, const std::vector<double>& noise) {
  std::vector<double> places, levels_db;
  for (size_t b = 0; b < series.bands(); ++b) {
    if (noise[b] <= 0) continue;
    places.push_back(std::log(0.5 * (series.edges[b] + series.edges[b + 1])));
    levels_db.push_back(DbOfPower(noise[b]));
  }
  std::vector<float> density;
  for (size_t b = 0; b < series.bands(); ++b) {
    std::vector<float> shown = MovingMean(series.power[b], kSmoothedFrames / 2, kSmoothedFrames / 2);
    const double most = std::max(noise[b], Percentile(std::move(shown), 0.05) * 1.2);
    for (int k = series.edges[b]; k < series.edges[b + 1]; ++k) {
      const double place = std::log(k + 0.5);
      const size_t above = static_cast<size_t>(std::lower_bound(places.begin(), places.end(), place) - places.begin());
      double level_db = above == 0 ? levels_db.front() : levels_db.back();
      if (above > 0 && above < places.size()) {
        const double part = (place - places[above - 1]) / (places[above] - places[above - 1]);
        level_db = levels_db[above - 1] * (1 - part) + levels_db[above] * part;
      }
      density.push_back(static_cast<float>(std::min(PowerOfDb(level_db), most)));
    }
  }
  density.push_back(density.back());
  return density;
}

}  // namespace

absl::StatusOr<NoiseFacts> FindNoise(const AudioBuffer& audio, const RunOptions& run) {
  NoiseFacts facts;
  facts.noise_dbfs = facts.signal_dbfs = kMinusInfinityDb;
  facts.fft_size = NextPowerOfTwo(static_cast<int>(kFrameS * audio.rate_hz() * 0.75));
  if (audio.duration_s() < kNoiseLeastS) return facts;
  GRYM_ASSIGN_OR_RETURN(const BandSeries series, MeasureBands(audio, facts.fft_size, run));
  if (series.frames() < 4 * kNoiseSegments) return facts;
  facts.signal_dbfs = DbOfPower(series.total);
  std::vector<double> noise;
  double power = 0, bands = 0;
  for (size_t b = 0; b < series.bands(); ++b) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    noise.push_back(SteadyFloor(series.power[b], series.flatness[b]));
    if (noise.back() <= 0) continue;
    power += 2 * noise.back() * (series.edges[b + 1] - series.edges[b]) / facts.fft_size;
    ++bands;
  }
  facts.share = bands / static_cast<double>(series.bands());
  facts.noise_dbfs = DbOfPower(power);
  facts.found = facts.share >= kLeastShare;
  if (facts.found) facts.density = SpreadOverBins(series, noise);
  return facts;
}

}  // namespace grym
