#include "analysis/enhance/balance.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr double kSlopeTolerance = 1.5;   // dB per octave; recordings of good repute differ by as much
constexpr double kMostBalanceDb = 6;
constexpr double kOctaveTolerance = 1.0;  // dB, for matching

double InterpolatedGainDb(const std::vector<double>& centre_hz, const std::vector<double>& gain_db, double hz) {
  if (hz <= centre_hz.front()) return gain_db.front();
  if (hz >= centre_hz.back()) return gain_db.back();
  const auto above = static_cast<size_t>(std::upper_bound(centre_hz.begin(), centre_hz.end(), hz) - centre_hz.begin());
  const double part = std::log(hz / centre_hz[above - 1]) / std::log(centre_hz[above] / centre_hz[above - 1]);
  return gain_db[above - 1] * (1 - part) + gain_db[above] * part;
}

void FitSlope(LongTermSpectrum& spectrum) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (size_t i = 0; i < spectrum.centre_hz.size(); ++i) {
    if (spectrum.centre_hz[i] < 100 || spectrum.centre_hz[i] > 10000) continue;
    const double x = std::log2(spectrum.centre_hz[i] / 1000), y = spectrum.density_db[i];
    n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
  }
  const double spread = n * sxx - sx * sx;
  spectrum.slope_db_per_octave = spread > 0 ? (n * sxy - sx * sy) / spread : 0;
}

}  // namespace

std::array<double, 10> AwayFromUsualDb(const LongTermSpectrum& spectrum) {
  constexpr std::array<double, 10> kUsualDb = {0, 0, 0, -2, -4, -6, -8, -10, -15, 0};
  std::array<double, 10> away{};
  double mean = 0;
  for (size_t i = 1; i < 9; ++i) {
    away[i] = std::max(spectrum.octave_db[i], -60.0) - kUsualDb[i];
    mean += away[i] / 8;
  }
  for (size_t i = 1; i < 9; ++i) away[i] -= mean;
  return away;
}

absl::StatusOr<LongTermSpectrum> MeasureLongTermSpectrum(const AudioBuffer& audio, const RunOptions& run) {
  LongTermSpectrum spectrum;
  const int size = NextPowerOfTwo(static_cast<int>(0.07 * audio.rate_hz()));
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  std::vector<float> framed(static_cast<size_t>(size)), power(static_cast<size_t>(fft.bins()));
  std::vector<double> mean(power.size(), 0.0);
  int64_t taken = 0;
  for (int64_t start = 0; start < audio.frames(); start += size / 2, ++taken) {
    if (taken % 32 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    for (int c = 0; c < audio.channels(); ++c) {
      const std::span<const float> samples = audio.channel(c);
      for (int n = 0; n < size; ++n) {
        const int64_t at = start + n;
        framed[static_cast<size_t>(n)] =
            at < audio.frames() ? samples[static_cast<size_t>(at)] * window[static_cast<size_t>(n)] : 0.0f;
      }
      fft.Power(framed.data(), power.data());
      for (size_t k = 0; k < power.size(); ++k) mean[k] += power[k];
    }
  }
  double whole = 0;
  for (const double value : mean) whole += value;
  spectrum.silent = whole < 1e-6;
  spectrum.octave_db.fill(-120);
  if (spectrum.silent) return spectrum;
  const double bin_hz = static_cast<double>(audio.rate_hz()) / size;
  const auto band_power = [&](double low_hz, double high_hz) {
    double sum = 0;
    for (auto k = static_cast<size_t>(std::ceil(low_hz / bin_hz));
         k < mean.size() && static_cast<double>(k) * bin_hz < high_hz; ++k)
      sum += mean[k];
    return sum;
  };
  for (size_t i = 0; i < 10; ++i) {
    const double centre = 31.25 * std::exp2(static_cast<double>(i));
    const double share = band_power(centre / std::sqrt(2.0), centre * std::sqrt(2.0)) / whole;
    spectrum.octave_db[i] = std::max(-120.0, DbOfPower(share + 1e-13));
  }
  for (double centre = 50; centre < std::min(16500.0, 0.45 * audio.rate_hz()); centre *= std::cbrt(2.0)) {
    const double low = centre / std::pow(2.0, 1.0 / 6), high = centre * std::pow(2.0, 1.0 / 6);
    spectrum.centre_hz.push_back(centre);
    spectrum.density_db.push_back(DbOfPower(band_power(low, high) / (high - low) / whole + 1e-13));
  }
  FitSlope(spectrum);
  return spectrum;
}

absl::Status FilterLinearPhase(AudioBuffer& audio, const std::vector<double>& centre_hz,
                               const std::vector<double>& gain_db, const RunOptions& run) {
  const int size = NextPowerOfTwo(static_cast<int>(0.1 * audio.rate_hz())), reach = size / 8, block = size - 2 * reach;
  RealFft fft(size);
  const auto bins = static_cast<size_t>(fft.bins());
  std::vector<std::complex<float>> response(bins), spectrum(bins);
  for (size_t k = 0; k < bins; ++k) {
    const double hz = std::max(1.0, static_cast<double>(k) * audio.rate_hz() / size);
    response[k] = static_cast<float>(GainOfDb(InterpolatedGainDb(centre_hz, gain_db, hz)));
  }
  // Zero-phase impulse response, cut to +-reach under a Hann window, so that overlap-add has no wrap-around.
  std::vector<float> impulse(static_cast<size_t>(size));
  fft.Inverse(response.data(), impulse.data());
  for (int n = 0; n < size; ++n) {
    const int distance = std::min(n, size - n);
    const double hann = distance < reach ? 0.5 + 0.5 * std::cos(M_PI * distance / reach) : 0.0;
    impulse[static_cast<size_t>(n)] *= static_cast<float>(hann);
  }
  fft.Forward(impulse.data(), response.data());
  std::vector<float> framed(static_cast<size_t>(size));
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<float> samples = audio.mutable_channel(c);
    std::vector<float> out(samples.size(), 0.0f);
    int64_t taken = 0;
    for (int64_t start = 0; start < audio.frames(); start += block, ++taken) {
      if (taken % 32 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
      std::fill(framed.begin(), framed.end(), 0.0f);
      const int64_t count = std::min<int64_t>(block, audio.frames() - start);
      std::copy_n(samples.begin() + start, count, framed.begin() + reach);
      fft.Forward(framed.data(), spectrum.data());
      for (size_t k = 0; k < bins; ++k) spectrum[k] *= response[k];
      fft.Inverse(spectrum.data(), framed.data());
      for (int64_t n = 0; n < count + 2 * reach; ++n) {
        const int64_t at = start - reach + n;
        if (at >= 0 && at < audio.frames()) out[static_cast<size_t>(at)] += framed[static_cast<size_t>(n)];
      }
    }
    std::copy(out.begin(), out.end(), samples.begin());
  }
  return absl::OkStatus();
}

absl::StatusOr<EnhanceStage> Balance(AudioBuffer& audio, double target_slope_db_per_octave,
                                     const std::optional<std::array<double, 10>>& match, double amount,
                                     const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "balance";
  GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum before, MeasureLongTermSpectrum(audio, run));
  if (before.silent) {
    stage.text = "silence";
    return stage;
  }
  std::vector<double> centre_hz, gain_db;
  if (match) {
    for (size_t i = 0; i < 10; ++i) {
      const double centre = 31.25 * std::exp2(static_cast<double>(i));
      const double missing = (*match)[i] - before.octave_db[i];
      const bool heard = (*match)[i] > -60 && before.octave_db[i] > -60;  // what is not there cannot be brought up
      const double beyond = std::max(0.0, std::abs(missing) - kOctaveTolerance);
      centre_hz.push_back(centre);
      gain_db.push_back(heard ? amount * std::copysign(std::min(beyond, kMostBalanceDb), missing) : 0.0);
    }
  } else {
    const double missing = target_slope_db_per_octave - before.slope_db_per_octave;
    const double tilt = 0.5 * std::copysign(std::max(0.0, std::abs(missing) - kSlopeTolerance), missing);
    for (double centre = 62.5; centre <= 16000; centre *= std::sqrt(2.0)) {
      centre_hz.push_back(centre);
      gain_db.push_back(amount * std::clamp(tilt * std::log2(centre / 1000), -kMostBalanceDb, kMostBalanceDb));
    }
  }
  double largest = 0;
  for (const double gain : gain_db) largest = std::abs(gain) > std::abs(largest) ? gain : largest;
  if (std::abs(largest) < 0.1) {
    stage.text =
        match ? "matches" : Formatted("slope of %.1f dB per octave is within tolerance", before.slope_db_per_octave);
    return stage;
  }
  GRYM_RETURN_IF_ERROR(FilterLinearPhase(audio, centre_hz, gain_db, run));
  GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum after, MeasureLongTermSpectrum(audio, run));
  stage.applied = true;
  stage.change_db = largest;
  stage.text = Formatted("slope %.1f -> %.1f dB per octave, at most %+.1f dB", before.slope_db_per_octave,
                               after.slope_db_per_octave, largest);
  return stage;
}

}  // namespace grym
