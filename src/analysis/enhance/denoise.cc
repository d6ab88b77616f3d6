#include <algorithm>
#include <array>
#include <cmath>
#include <complex>

#include "analysis/enhance/noise.h"
#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr double kWorthwhileSnrDb = 48;   // below that nobody hears the noise, and a clean recording stays clean
constexpr double kDeepestFloorDb = -30;
constexpr float kPilotOverestimate = 1.5f;   // of the noise: what its own chance leaves above it in a neighbourhood
constexpr float kBareNeighbourhood = 3;       // times the noise: below, hardly more than noise is heard
constexpr int kReach = 2;                    // of a neighbourhood, frames and bins to either side
// A Hann window over a neighbourhood.
constexpr std::array<float, 2 * kReach + 1> kNeighbour = {1 / 12.0f, 3 / 12.0f, 4 / 12.0f, 3 / 12.0f, 1 / 12.0f};

// One recording's running gain, kReach frames behind what it is shown.
class WienerGain {
 public:
  WienerGain(const std::vector<float>& density, float floor)
      : density_(density), floor_(floor), gain_(density.size()), near_(density.size()) {
    for (std::vector<float>& row : power_) row.resize(density.size());
    for (std::vector<float>& row : spread_) row.resize(density.size());
  }

  // `power` [bins]: |X|^2 / sum(w^2), the channels' mean. Returns the gains [bins] of the frame kReach calls ago;
  // before the first frame there was silence.
  const std::vector<float>& Next(const std::vector<float>& power) {
    const size_t bins = power.size(), last = bins - 1;
    std::vector<float>& spread = spread_[static_cast<size_t>(taken_) % spread_.size()];
    power_[static_cast<size_t>(taken_) % power_.size()] = power;
    for (size_t k = 0; k < bins; ++k) {
      if (k >= kReach && k + kReach < bins) {
        spread[k] = kNeighbour[0] * (power[k - 2] + power[k + 2]) + kNeighbour[1] * (power[k - 1] + power[k + 1]) +
                    kNeighbour[2] * power[k];
        continue;
      }
      spread[k] = 0;
      for (size_t d = 0; d < kNeighbour.size(); ++d)
        spread[k] += kNeighbour[d] * power[std::min(last, k + d < kReach ? 0 : k + d - kReach)];
    }
    ++taken_;
    // Rows are weighted by their distance from the middle one, kReach calls ago.
    std::fill(near_.begin(), near_.end(), 0.0f);
    for (size_t d = 0; d < kNeighbour.size(); ++d) {
      const std::vector<float>& row = spread_[static_cast<size_t>(taken_ + static_cast<int64_t>(d)) % spread_.size()];
      for (size_t k = 0; k < bins; ++k) near_[k] += kNeighbour[d] * row[k];
    }
    Judge(power_[static_cast<size_t>(taken_) % power_.size()]);
    return gain_;
  }

  // What the gains did to the noise: to all that was heard where hardly more than noise was.
  double NoiseChangeDb() const { return before_ > 0 ? DbOfPower(after_ / before_) : 0; }

 private:
  // `power` is the middle frame's.
  void Judge(const std::vector<float>& power) {
    float before = 0, after = 0;
    for (size_t k = 0; k < power.size(); ++k) {
      const float noise = density_[k] + 1e-16f;
      const float pilot = std::max(0.0f, 1 - kPilotOverestimate * noise / (near_[k] + 1e-16f));
      const float clean = pilot * pilot * power[k];
      gain_[k] = std::max(floor_, clean / (clean + noise));
      const float bare = near_[k] < kBareNeighbourhood * noise ? power[k] : 0.0f;
      before += bare;
      after += bare * gain_[k] * gain_[k];
    }
    before_ += before;
    after_ += after;
  }

  const std::vector<float>& density_;
  float floor_;
  std::vector<float> gain_, near_;
  std::array<std::vector<float>, kReach + 1> power_;
  std::array<std::vector<float>, 2 * kReach + 1> spread_;  // smoothed over bins
  int64_t taken_ = 0;
  double before_ = 0, after_ = 0;
};

// Weighted overlap-add in place. Frames come out kReach hops after they were read, so a frame reads nothing written.
absl::Status FilterFrames(AudioBuffer& audio, int size, WienerGain& wiener, const RunOptions& run) {
  const int hop = size / 4;
  RealFft fft(size);
  std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  for (float& value : window) value = std::sqrt(value);  // sum of squares at a quarter hop: 2
  const auto bins = static_cast<size_t>(fft.bins());
  const size_t channels = static_cast<size_t>(audio.channels());
  const float scale = 1.0f / (0.5f * static_cast<float>(size) * static_cast<float>(channels));
  std::array<std::vector<std::complex<float>>, kReach + 1> spectra;  // [channels * bins] of the last frames
  for (auto& spectrum : spectra) spectrum.resize(channels * bins);
  std::vector<std::vector<float>> tails(channels, std::vector<float>(static_cast<size_t>(size), 0.0f));
  std::vector<float> framed(static_cast<size_t>(size)), power(bins);
  size_t taken = 0;
  for (int64_t start = -(size - hop); start < audio.frames() + kReach * hop; start += hop, ++taken) {
    if (taken % 32 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(power.begin(), power.end(), 0.0f);
    for (size_t c = 0; c < channels; ++c) {
      const std::span<const float> samples = audio.channel(static_cast<int>(c));
      for (int n = 0; n < size; ++n) {
        const int64_t at = start + n;
        const bool inside = at >= 0 && at < audio.frames();
        framed[static_cast<size_t>(n)] =
            inside ? samples[static_cast<size_t>(at)] * window[static_cast<size_t>(n)] : 0.0f;
      }
      std::complex<float>* spectrum = spectra[taken % spectra.size()].data() + c * bins;
      fft.Forward(framed.data(), spectrum);
      for (size_t k = 0; k < bins; ++k) power[k] += scale * std::norm(spectrum[k]);
    }
    const std::vector<float>& gain = wiener.Next(power);
    if (taken < kReach) continue;
    for (size_t c = 0; c < channels; ++c) {
      std::complex<float>* spectrum = spectra[(taken + 1) % spectra.size()].data() + c * bins;
      for (size_t k = 0; k < bins; ++k) spectrum[k] *= gain[k];
      fft.Inverse(spectrum, framed.data());
      std::vector<float>& tail = tails[c];
      for (size_t n = 0; n < framed.size(); ++n) tail[n] += 0.5f * framed[n] * window[n];
      const std::span<float> samples = audio.mutable_channel(static_cast<int>(c));
      for (int n = 0; n < hop; ++n) {
        const int64_t at = start - kReach * hop + n;
        if (at >= 0 && at < audio.frames()) samples[static_cast<size_t>(at)] = tail[static_cast<size_t>(n)];
      }
      std::copy(tail.begin() + hop, tail.end(), tail.begin());
      std::fill(tail.end() - hop, tail.end(), 0.0f);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EnhanceStage> Denoise(AudioBuffer& audio, double amount, const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "denoise";
  GRYM_ASSIGN_OR_RETURN(const NoiseFacts noise, FindNoise(audio, run));
  if (!noise.found) {
    stage.text = "no steady noise";
    return stage;
  }
  if (noise.SnrDb() > kWorthwhileSnrDb) {
    stage.text =
        Formatted("steady noise at %.1f dBFS, %.0f dB below the music: left alone", noise.noise_dbfs, noise.SnrDb());
    return stage;
  }
  WienerGain wiener(noise.density, static_cast<float>(GainOfDb(kDeepestFloorDb * amount)));
  GRYM_RETURN_IF_ERROR(FilterFrames(audio, noise.fft_size, wiener, run));
  stage.applied = true;
  stage.change_db = wiener.NoiseChangeDb();
  stage.text = Formatted("noise floor %.1f -> %.1f dBFS", noise.noise_dbfs, noise.noise_dbfs + stage.change_db);
  return stage;
}

}  // namespace grym
