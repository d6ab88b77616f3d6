#include "analysis/enhance/hum.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>

#include "audio/stream_resampler.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr int kHumRateHz = 3000;
constexpr int kHumHarmonics = 24;
constexpr double kHumWindowS = 4;           // less for short recordings, so that there are four windows at least
constexpr double kHumLeastS = 3;
constexpr double kMostDriftHz = 0.12;       // of mains within a recording; more is a search that found nothing
constexpr double kHumRange = 0.01;          // of 50 and 60 Hz
constexpr double kLineAboveFloorDb = 10;
constexpr double kLineShare = 0.7;
constexpr double kLineMovesDb = 4;
constexpr int64_t kHumBlockFrames = 1 << 15;

// The mean of the channels at kHumRateHz.
absl::StatusOr<std::vector<float>> LowRateMono(const AudioBuffer& audio, const RunOptions& run) {
  std::vector<float> low;
  GRYM_ASSIGN_OR_RETURN(StreamResampler resampler,
                        StreamResampler::Create(1, audio.rate_hz(), kHumRateHz, ResampleQuality::kFast));
  const auto take = [&](const AudioBuffer& block) {
    low.insert(low.end(), block.channel(0).begin(), block.channel(0).end());
  };
  for (int64_t start = 0; start < audio.frames(); start += kHumBlockFrames) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, resampler.Push(audio.Slice(start, kHumBlockFrames).ToMono()));
    take(block);
  }
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer rest, resampler.Finish());
  take(rest);
  return low;
}

// Power spectra of overlapping Hann windows, finely sampled by zero padding.
struct HumSpectra {
  double bin_hz = 0;
  double step_s = 0;
  double line_power = 0;  // power of a sine of amplitude 1 at its peak
  std::vector<std::vector<float>> power;

  // Largest power within `reach_hz` of `hz`.
  double Line(size_t window, double hz, double reach_hz) const {
    const std::vector<float>& p = power[window];
    const auto from = static_cast<size_t>(std::max(0.0, std::floor((hz - reach_hz) / bin_hz)));
    const auto until = std::min(p.size() - 1, static_cast<size_t>(std::ceil((hz + reach_hz) / bin_hz)));
    double largest = 0;
    for (size_t k = from; k <= until; ++k) largest = std::max(largest, static_cast<double>(p[k]));
    return largest;
  }
  // Median power from 2 to 10 Hz on either side.
  double Floor(size_t window, double hz) const {
    const std::vector<float>& p = power[window];
    std::vector<float> around;
    for (double offset = 2; offset <= 10; offset += 4 * bin_hz) {
      for (const double at : {hz - offset, hz + offset}) {
        const auto k = static_cast<int64_t>(std::llround(at / bin_hz));
        if (k > 0 && k < static_cast<int64_t>(p.size())) around.push_back(p[static_cast<size_t>(k)]);
      }
    }
    return std::max(1e-20, static_cast<double>(Median(std::move(around))));
  }
};

absl::StatusOr<HumSpectra> MakeHumSpectra(const std::vector<float>& low, const RunOptions& run) {
  const auto frames = static_cast<int64_t>(low.size());
  const int64_t window = std::min<int64_t>(frames * 2 / 5, static_cast<int64_t>(kHumWindowS * kHumRateHz));
  const int size = NextPowerOfTwo(static_cast<int>(window) * 4);
  RealFft fft(size);
  std::vector<float> hann = MakeWindow(WindowKind::kHann, static_cast<int>(window));
  HumSpectra spectra;
  spectra.bin_hz = static_cast<double>(kHumRateHz) / size;
  const int64_t step = std::max<int64_t>(1, window / 2);
  spectra.step_s = static_cast<double>(step) / kHumRateHz;
  spectra.line_power = std::pow(static_cast<double>(window) / 4, 2);
  std::vector<float> padded(static_cast<size_t>(size));
  const auto kept = static_cast<size_t>(1250 / spectra.bin_hz);
  std::vector<float> power(static_cast<size_t>(fft.bins()));
  for (int64_t start = 0; start + window <= frames; start += step) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(padded.begin(), padded.end(), 0.0f);
    for (int64_t n = 0; n < window; ++n)
      padded[static_cast<size_t>(n)] = low[static_cast<size_t>(start + n)] * hann[static_cast<size_t>(n)];
    fft.Power(padded.data(), power.data());
    spectra.power.emplace_back(power.begin(),
                               power.begin() + static_cast<std::ptrdiff_t>(std::min(kept, power.size())));
  }
  return spectra;
}

// How far the first multiples of `hz` stand out, in dB, capped so that one loud note cannot carry the sum.
double SeriesScore(const HumSpectra& spectra, size_t window, double hz) {
  double score = 0;
  for (int k = 1; k <= 8; ++k) {
    const double above = DbOfPower(spectra.Line(window, k * hz, 0) / spectra.Floor(window, k * hz) + 1e-9);
    score += std::clamp(above, 0.0, 30.0);
  }
  return score;
}

double BestFundamental(const HumSpectra& spectra, size_t window, double around_hz, double reach_hz, double step_hz) {
  double best_hz = around_hz, best = -1;
  for (double hz = around_hz - reach_hz; hz <= around_hz + reach_hz + 1e-9; hz += step_hz) {
    const double score = SeriesScore(spectra, window, hz);
    if (score > best) best = score, best_hz = hz;
  }
  return best_hz;
}

absl::StatusOr<HumFacts> JudgeSeries(const HumSpectra& spectra, double nominal_hz, const RunOptions& run) {
  // The windows' mean, over at most 60 of them, finds the recording's own mains frequency.
  const size_t windows = spectra.power.size(), stride = std::max<size_t>(1, windows / 60);
  double mean_hz = nominal_hz, best = -1;
  for (double hz = nominal_hz * (1 - kHumRange); hz <= nominal_hz * (1 + kHumRange); hz += 0.02) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    double score = 0;
    for (size_t w = 0; w < windows; w += stride) score += SeriesScore(spectra, w, hz);
    if (score > best) best = score, mean_hz = hz;
  }
  HumFacts facts;
  facts.step_s = spectra.step_s;
  for (size_t w = 0; w < windows; ++w) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    facts.fundamental.push_back(BestFundamental(spectra, w, mean_hz, 0.15, 0.01));
  }
  int among_first = 0;
  double strongest_db = 0, fundamental_db = 0, power = 0;
  for (int k = 1; k <= kHumHarmonics && k * mean_hz < 1200; ++k) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::vector<double> levels, above;
    for (size_t w = 0; w < windows; ++w) {
      const double hz = k * facts.fundamental[w], line = spectra.Line(w, hz, 0.05);
      levels.push_back(DbOfPower(line / spectra.line_power + 1e-20));
      above.push_back(DbOfPower(line / spectra.Floor(w, hz)));
    }
    if (Percentile(above, 1 - kLineShare) < kLineAboveFloorDb) continue;
    // Music over the line lifts it at times; what it never does is fall.
    if (Median(levels) - Percentile(levels, 0.1) > kLineMovesDb || Percentile(levels, 0.1) < -100) continue;
    facts.harmonics.push_back(k);
    if (k <= 6) ++among_first;
    if (k == 1) fundamental_db = Median(above);
    strongest_db = std::max(strongest_db, Median(above));
    power += PowerOfDb(Percentile(levels, 0.3)) / 2;
  }
  if (among_first < 2 && fundamental_db < 25) return HumFacts();
  facts.drift_hz = Percentile(facts.fundamental, 0.9) - Percentile(facts.fundamental, 0.1);
  if (facts.drift_hz > kMostDriftHz) return HumFacts();
  facts.fundamental_hz = Mean(std::span<const double>(facts.fundamental));
  facts.level_dbfs = DbOfPower(power);
  facts.above_floor_db = strongest_db;
  return facts;
}

}  // namespace

absl::StatusOr<HumFacts> FindHum(const AudioBuffer& audio, const RunOptions& run) {
  if (audio.duration_s() < kHumLeastS || audio.rate_hz() < kHumRateHz) return HumFacts();
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> low, LowRateMono(audio, run));
  GRYM_ASSIGN_OR_RETURN(const HumSpectra spectra, MakeHumSpectra(low, run));
  if (spectra.power.empty()) return HumFacts();
  GRYM_ASSIGN_OR_RETURN(HumFacts fifty, JudgeSeries(spectra, 50, run));
  GRYM_ASSIGN_OR_RETURN(HumFacts sixty, JudgeSeries(spectra, 60, run));
  if (fifty.fundamental_hz == 0) return sixty;
  if (sixty.fundamental_hz == 0) return fifty;
  return fifty.level_dbfs >= sixty.level_dbfs ? fifty : sixty;
}

}  // namespace grym
