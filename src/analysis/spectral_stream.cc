#include "analysis/spectral_stream.h"

#include <algorithm>
#include <cmath>

#include "dsp/decibels.h"
#include "dsp/dispatch.h"
#include "dsp/logarithm.h"

namespace grym {
namespace {

constexpr int kMelBands = 128, kMfcc = 20, kContrastBands = 7;
constexpr float kOnsetGain = 20.0f;      // log10(1 + 20 |X|): compresses above -80 dBFS
constexpr double kSilentPower = 1e-6;    // -60 dBFS
constexpr double kBinHz = static_cast<double>(kAnalysisRateHz) / SpectralStream::kSize;
constexpr std::array<double, OnsetSeries::kRegisters> kRegisterEndHz = {200, 2000, 1e9};

GRYM_HOT void RootInto(const float* GRYM_RESTRICT a, float* GRYM_RESTRICT out, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = __builtin_sqrtf(a[i]);
}

GRYM_HOT void DecibelsInto(const float* GRYM_RESTRICT power, float* GRYM_RESTRICT out, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = VectorDbOfPower(power[i] > 1e-10f ? power[i] : 1e-10f);
}

static_assert(SpectralStream::kAttackHop % kLanes == 0);

// Of the steps between samples [0, count], and of samples [1, count]; `count` is a multiple of 8.
GRYM_HOT void EnergyOf(const float* samples, int count, float* slopes, float* squares) {
  EightLanes slope_sums = {}, square_sums = {};
  for (int n = 1; n <= count; n += kLanes) {
    const EightLanes now = *reinterpret_cast<const EightLanes*>(samples + n);
    const EightLanes slope = now - *reinterpret_cast<const EightLanes*>(samples + n - 1);
    slope_sums = slope_sums + slope * slope;
    square_sums = square_sums + now * now;
  }
  float lanes[2 * kLanes];
  *reinterpret_cast<EightLanes*>(lanes) = slope_sums;
  *reinterpret_cast<EightLanes*>(lanes + kLanes) = square_sums;
  for (int lane = 0; lane < kLanes; ++lane) {
    *slopes += lanes[lane];
    *squares += lanes[kLanes + lane];
  }
}

// Eight frames of each band, compressed, behind the two frames before them.
constexpr int kOnsetLag = 2;  // frames; half a Hann window's main part at this hop (Böck and Widmer 2013)
constexpr std::ptrdiff_t kRow = kOnsetLag + kLanes;

GRYM_HOT void CompressInto(const float* GRYM_RESTRICT bands, float* GRYM_RESTRICT rows, int count) {
  for (std::ptrdiff_t b = 0; b < count; ++b) {
    for (int f = 0; f < kLanes; ++f) {
      rows[b * kRow + kOnsetLag + f] = VectorLog10(1.0f + kOnsetGain * bands[b * kLanes + f]);
    }
  }
}

// The rise of bands [first, end) of eight frames, summed. Rows before the first and after the last band are readable.
GRYM_HOT void RiseOf(const float* rows, int first, int end, float* sums) {
  float sum[kLanes] = {};
  for (std::ptrdiff_t b = first; b < end; ++b) {
    const float* row = rows + b * kRow;
    for (int f = 0; f < kLanes; ++f) {
      float largest = row[f];
      largest = largest > row[f - kRow] ? largest : row[f - kRow];
      largest = largest > row[f + kRow] ? largest : row[f + kRow];
      const float rise = row[f + kOnsetLag] - largest;
      sum[f] += rise > 0 ? rise : 0;
    }
  }
  for (int f = 0; f < kLanes; ++f) sums[f] = sum[f];
}

}  // namespace

SpectralStream::SpectralStream(int at_once, OnsetListener* listener, What what)
    : listener_(listener),
      what_(what),
      framer_(kSize, kHop, -1, at_once),
      fft_(kSize),
      window_(MakeWindow(WindowKind::kHann, kSize)),
      power_(kSize / 2 + 1),
      magnitude_(kSize / 2 + 1),
      power_lanes_(power_.size() * kLanes),
      magnitude_lanes_(power_.size() * kLanes),
      onset_bank_(FilterBank::LogFrequency(kAnalysisRateHz, kSize, 24, 30, 17000)),
      mel_bank_(FilterBank::Mel(kAnalysisRateHz, kSize, kMelBands, 0, kAnalysisRateHz / 2.0)),
      third_octave_bank_(FilterBank::LogFrequency(kAnalysisRateHz, kSize, 3, 50, 16000)),
      dct_(kMelBands, kMfcc),
      band_lanes_(static_cast<size_t>(onset_bank_.bands()) * kLanes),
      rows_(static_cast<size_t>((onset_bank_.bands() + 2) * kRow)),  // with one of silence on either side
      mel_(kMelBands),
      mel_db_(kMelBands),
      thirds_(third_octave_bank_.bands()),
      floor_histogram_(third_octave_bank_.bands()) {
  for (int r = 0; r < OnsetSeries::kRegisters; ++r) {
    while (register_end_[r] < onset_bank_.bands() && onset_bank_.centre_hz(register_end_[r]) < kRegisterEndHz[r])
      ++register_end_[r];
  }
  root_bins_ = what_ == What::kOnsets ? static_cast<size_t>(onset_bank_.end_bin()) : power_.size();
  octave_of_bin_.assign(kSize / 2 + 1, -1);
  for (int k = 1; k <= kSize / 2; ++k) {
    const long octave = std::lround(std::log2(k * kBinHz / 1000)) + 5;
    if (octave >= 0 && octave < 10) octave_of_bin_[k] = static_cast<signed char>(octave);
  }
  onsets_.rate_hz = static_cast<double>(kAnalysisRateHz) / kHop;
  onsets_.attack_rate_hz = static_cast<double>(kAnalysisRateHz) / kAttackHop;
  const auto prepare = [](FrameSeries& series, int dim) {
    series.dim = dim;
    series.rate_hz = static_cast<double>(kAnalysisRateHz) / (kHop * kStatisticsEvery);
  };
  for (FrameSeries* one :
       {&spectral_.centroid_hz, &spectral_.bandwidth_hz, &spectral_.rolloff_hz, &spectral_.flatness}) {
    prepare(*one, 1);
  }
  prepare(spectral_.contrast_db, kContrastBands);
  prepare(spectral_.mfcc, kMfcc);
  sorted_.reserve(power_.size());
}

void SpectralStream::Reserve(int64_t samples) {
  most_frames_ = samples > 0 ? 1 + samples / kHop : 0;
  most_attacks_ = samples / kAttackHop;
  onsets_.whole.reserve(static_cast<size_t>(most_frames_));
  for (std::vector<float>& series : onsets_.registers) series.reserve(static_cast<size_t>(most_frames_));
  onsets_.attack_rms.reserve(static_cast<size_t>(most_attacks_));
  onsets_.level_rms.reserve(static_cast<size_t>(most_attacks_));
  const int64_t statistics = (most_frames_ + kStatisticsEvery - 1) / kStatisticsEvery;
  loud_.reserve(static_cast<size_t>(statistics));
  for (FrameSeries* one : {&spectral_.centroid_hz, &spectral_.bandwidth_hz, &spectral_.rolloff_hz,
                           &spectral_.flatness, &spectral_.contrast_db, &spectral_.mfcc}) {
    one->values.reserve(static_cast<size_t>(statistics * one->dim));
  }
}

void SpectralStream::Push(std::span<const float> mono) {
  for (size_t at = 0; at < mono.size() && what_ != What::kStatistics;) {
    const size_t count = std::min<size_t>(static_cast<size_t>(kAttackHop - attack_count_), mono.size() - at);
    std::copy_n(mono.begin() + static_cast<std::ptrdiff_t>(at), count, attack_.begin() + 1 + attack_count_);
    attack_count_ += static_cast<int>(count);
    at += count;
    if (attack_count_ == kAttackHop) TakeAttack();
  }
  framer_.Push(mono, [this](const float* first, int frames) { Take(first, frames); });
}

void SpectralStream::TakeAttack() {
  float slopes = 0, squares = 0;
  EnergyOf(attack_.data(), kAttackHop, &slopes, &squares);
  attack_[0] = attack_[kAttackHop];
  attack_count_ = 0;
  const float attack = std::sqrt(slopes / kAttackHop), level = std::sqrt(squares / kAttackHop);
  if (attacks_++ < most_attacks_) {
    onsets_.attack_rms.push_back(attack);
    onsets_.level_rms.push_back(level);
  }
  if (listener_) listener_->HearAttack(attack, level);
}

void SpectralStream::Take(const float* first, int frames) {
  fft_.Power(first, kHop, window_.data(), power_lanes_.data());
  RootInto(power_lanes_.data(), magnitude_lanes_.data(), root_bins_ * kLanes);
  if (what_ != What::kStatistics) {
    onset_bank_.ApplyToLanes(magnitude_lanes_.data(), band_lanes_.data());
    TakeOnsets(frames);
  }
  for (int f = 0; f < frames; ++f, ++index_) {
    if (what_ == What::kOnsets || index_ % kStatisticsEvery != 0 || index_ >= most_frames_) continue;
    TakeLane(power_lanes_.data(), kSize / 2 + 1, f, power_.data());
    TakeLane(magnitude_lanes_.data(), kSize / 2 + 1, f, magnitude_.data());
    const float* frame = first + static_cast<std::ptrdiff_t>(f) * kHop;
    double power = 0;
    for (int n = 0; n < kSize; ++n) power += static_cast<double>(frame[n]) * frame[n];
    const bool silent = power / kSize < kSilentPower;
    loud_.push_back(!silent);
    TakeStatistics(silent);
    TakeContrast();
    TakeMfcc();
    TakeNoiseFloor();
  }
}

// SuperFlux: rise of each log-frequency band against the largest of it and its two neighbours kOnsetLag frames ago, so
// that vibrato is no onset. Source: Böck and Widmer 2013, equations 1 to 4. Differs: stronger compression, so that a
// quiet recording has the same onsets.
void SpectralStream::TakeOnsets(int frames) {
  const int bands = onset_bank_.bands();
  float* rows = rows_.data() + kRow;
  CompressInto(band_lanes_.data(), rows, bands);
  std::array<std::array<float, kLanes>, OnsetSeries::kRegisters> rises;
  for (int r = 0; r < OnsetSeries::kRegisters; ++r) {
    RiseOf(rows, r > 0 ? register_end_[r - 1] : 0, register_end_[r], rises[r].data());
  }
  for (int f = 0; f < frames; ++f) {
    // A file that begins with sound has its first onset there; the window's rise over the padding is none of its own.
    const float whole = rises[0][f] + rises[1][f] + rises[2][f];
    if (index_ + f < most_frames_) {
      for (int r = 0; r < OnsetSeries::kRegisters; ++r) onsets_.registers[r].push_back(rises[r][f]);
      onsets_.whole.push_back(whole);
    }
    if (listener_) listener_->HearFlux(whole, rises[0][f]);
  }
  for (int b = 0; b < bands; ++b) {
    float* row = rows + b * kRow;
    std::copy(row + frames, row + frames + kOnsetLag, row);
  }
}

void SpectralStream::TakeStatistics(bool silent) {
  double sum = 0, weighted = 0, log_sum = 0, power_sum = 0;
  const int bins = kSize / 2 + 1;
  for (int k = 0; k < bins; ++k) {
    sum += magnitude_[k];
    weighted += magnitude_[k] * (k * kBinHz);
    power_sum += std::max(power_[k], 1e-10f);
  }
  for (int k = 0; k < bins; k += 4) {  // one logarithm for four bins; their product stays in double range
    double product = 1;
    for (int i = k; i < std::min(bins, k + 4); ++i) product *= std::max(power_[i], 1e-10f);
    log_sum += std::log(product);
  }
  const double centroid = sum > 1e-9 ? weighted / sum : 0;
  double spread = 0, running = 0, rolloff = 0;
  bool rolled = false;
  for (int k = 0; k < bins; ++k) {
    const double distance = k * kBinHz - centroid;
    spread += magnitude_[k] * distance * distance;
    running += magnitude_[k];
    if (!rolled && running >= 0.85 * sum) {
      rolled = true;
      rolloff = sum > 1e-9 ? k * kBinHz : 0;
    }
  }
  spectral_.centroid_hz.values.push_back(static_cast<float>(centroid));
  spectral_.bandwidth_hz.values.push_back(static_cast<float>(sum > 1e-9 ? std::sqrt(spread / sum) : 0));
  spectral_.rolloff_hz.values.push_back(static_cast<float>(rolloff));
  spectral_.flatness.values.push_back(static_cast<float>(std::exp(log_sum / bins) / (power_sum / bins)));
  if (silent) return;
  for (int k = 1; k < bins; ++k) {
    if (octave_of_bin_[k] >= 0) octave_energy_[octave_of_bin_[k]] += power_[k];
  }
}

// Level of the peaks above the valleys of each octave band, in dB. Source: Jiang et al. 2002, quantile 0.02 as librosa.
void SpectralStream::TakeContrast() {
  const int bins = kSize / 2 + 1;
  double low_hz = 0, high_hz = 200;
  for (int band = 0; band < kContrastBands; ++band) {
    const int first = static_cast<int>(std::ceil(low_hz / kBinHz));
    const int last = band + 1 == kContrastBands ? bins : std::min(bins, static_cast<int>(std::ceil(high_hz / kBinHz)));
    sorted_.assign(power_.begin() + first, power_.begin() + last);
    const int count = std::max(1, static_cast<int>(std::lround(0.02 * (last - first))));
    std::nth_element(sorted_.begin(), sorted_.begin() + (count - 1), sorted_.end());
    double valley = 0, peak = 0;
    for (int i = 0; i < count; ++i) valley += sorted_[i];
    std::nth_element(sorted_.begin(), sorted_.end() - count, sorted_.end());
    for (int i = 0; i < count; ++i) peak += sorted_[sorted_.size() - 1 - i];
    spectral_.contrast_db.values.push_back(
        static_cast<float>(10 * std::log10(std::max(peak / count, 1e-10) / std::max(valley / count, 1e-10))));
    low_hz = high_hz;
    high_hz *= 2;
  }
}

// As librosa: 128 Slaney mel bands of power, in dB, orthonormal DCT-II. Differs: no 80 dB limit below the recording's
// maximum, which a stream cannot know; the floor is 1e-10.
void SpectralStream::TakeMfcc() {
  mel_bank_.Apply(power_.data(), mel_.data());
  DecibelsInto(mel_.data(), mel_db_.data(), mel_.size());
  std::array<float, kMfcc> coefficients;
  dct_.Apply(mel_db_.data(), coefficients.data());
  spectral_.mfcc.values.insert(spectral_.mfcc.values.end(), coefficients.begin(), coefficients.end());
}

void SpectralStream::TakeNoiseFloor() {
  third_octave_bank_.Apply(power_.data(), thirds_.data());
  for (size_t band = 0; band < thirds_.size(); ++band) {
    const double db = 10 * std::log10(std::max(thirds_[band], 1e-16f));
    ++floor_histogram_[band][std::clamp(static_cast<int>((db + 150) * 2), 0, 439)];
  }
}

void SpectralStream::Finish(SpectralFeatures& spectral, double& noise_floor_dbfs) {
  framer_.Finish([this](const float* first, int frames) { Take(first, frames); });
  if (what_ == What::kOnsets) return;
  const auto mean_of = [this](const FrameSeries& series, double* mean, double* deviation) {
    int64_t count = 0;
    std::vector<double> squares(series.dim);
    std::fill(mean, mean + series.dim, 0.0);
    for (int64_t i = 0; i < series.frames(); ++i) {
      if (!loud_[i]) continue;
      ++count;
      for (int d = 0; d < series.dim; ++d) {
        const double value = series.values[i * series.dim + d];
        mean[d] += value;
        squares[d] += value * value;
      }
    }
    for (int d = 0; d < series.dim && count > 0; ++d) {
      mean[d] /= static_cast<double>(count);
      if (deviation)
        deviation[d] = std::sqrt(std::max(0.0, squares[d] / static_cast<double>(count) - mean[d] * mean[d]));
    }
  };
  mean_of(spectral_.centroid_hz, &spectral_.mean_centroid_hz, nullptr);
  mean_of(spectral_.bandwidth_hz, &spectral_.mean_bandwidth_hz, nullptr);
  mean_of(spectral_.rolloff_hz, &spectral_.mean_rolloff_hz, nullptr);
  mean_of(spectral_.flatness, &spectral_.mean_flatness, nullptr);
  mean_of(spectral_.contrast_db, spectral_.mean_contrast_db.data(), nullptr);
  mean_of(spectral_.mfcc, spectral_.mean_mfcc.data(), spectral_.std_mfcc.data());
  double energy = 0;
  for (const double octave : octave_energy_) energy += octave;
  for (size_t i = 0; i < octave_energy_.size(); ++i) {
    spectral_.band_energy_db[i] = energy > 0 ? std::max(-120.0, DbOfPower(octave_energy_[i] / energy)) : -120;
  }
  spectral = std::move(spectral_);
  // The tenth percentile of each third octave, summed over the band's bins: a steady noise shows its own level.
  double floor_power = 0;
  const double window_power = 3.0 / 8;  // mean square of a Hann window
  for (size_t band = 0; band < floor_histogram_.size(); ++band) {
    int64_t total = 0, below = 0;
    for (const int64_t count : floor_histogram_[band]) total += count;
    int bin = 0;
    while (bin < 439 && (below += floor_histogram_[band][bin]) * 10 < total) ++bin;
    if (total == 0 || bin == 0) continue;
    const double bins = third_octave_bank_.centre_hz(static_cast<int>(band)) * 0.2316 / kBinHz;
    floor_power += PowerOfDb(bin / 2.0 - 150 + 0.25) * bins * 2 / (static_cast<double>(kSize) * kSize * window_power);
  }
  noise_floor_dbfs = DbOfPower(floor_power);
}

}  // namespace grym
