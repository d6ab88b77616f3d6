#include <algorithm>
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
constexpr double kBareShare = 0.4;        // of a frame's power beside the noise; below it the frame is mostly noise
constexpr float kDecisionSmoothing = 0.94f;  // of the a-priori SNR at a hop of a quarter frame
constexpr float kOverestimate = 1.3f;        // of the noise: leaves fewer residual tones than the exact value

// One recording's running gain.
class WienerGain {
 public:
  WienerGain(const std::vector<float>& density, float floor)
      : density_(density),
        floor_(floor),
        gain_(density.size(), 1.0f),
        last_clean_(density.size(), 0.0f),
        raw_(density.size()) {}

  // `power` [bins]: |X|^2 / sum(w^2), the channels' mean. Returns the gains [bins].
  const std::vector<float>& Next(const std::vector<float>& power) {
    double noisy = 0, kept = 0;
    for (size_t k = 0; k < power.size(); ++k) {
      const float noise = kOverestimate * density_[k] + 1e-16f;
      const float posterior = std::min(power[k] / noise, 1e6f);
      const float prior =
          kDecisionSmoothing * last_clean_[k] / noise + (1 - kDecisionSmoothing) * std::max(posterior - 1, 0.0f);
      raw_[k] = prior / (1 + prior);
      last_clean_[k] = raw_[k] * raw_[k] * power[k];
      noisy += power[k];
      kept += last_clean_[k];
    }
    // The less the frame holds beside noise, the wider the smoothing. Source: Esch and Vary 2009.
    const double share = noisy > 0 ? kept / noisy : 0;
    const int reach = share < kBareShare ? 4 : share < 0.7 ? 2 : 1;
    double sum = 0;
    const int bins = static_cast<int>(power.size());
    const auto at = [&](int k) { return raw_[static_cast<size_t>(std::clamp(k, 0, bins - 1))]; };
    for (int k = -reach; k <= reach; ++k) sum += at(k);
    for (int k = 0; k < bins; ++k) {
      const auto mean = static_cast<float>(sum / (2 * reach + 1));
      // Strong bins keep their own gain: smoothing would dull a tone's edges.
      const float own = at(k);
      gain_[static_cast<size_t>(k)] = std::max(floor_, own > 0.8f ? own : 0.5f * (own + mean));
      sum += at(k + reach + 1) - at(k - reach);
    }
    if (noisy > 0) {
      Weigh(everywhere_);
      if (share < kBareShare) Weigh(bare_);
    }
    return gain_;
  }

  // What the gains did to the noise of the profile, where little else sounded; over everything if something always did.
  double NoiseChangeDb() const {
    const Weight& weight = bare_.before > 0 ? bare_ : everywhere_;
    return weight.before > 0 ? DbOfPower(weight.after / weight.before) : 0;
  }

 private:
  struct Weight {
    double before = 0, after = 0;  // power of the profile
  };
  void Weigh(Weight& weight) const {
    for (size_t k = 0; k < gain_.size(); ++k) {
      weight.before += density_[k];
      weight.after += static_cast<double>(density_[k]) * gain_[k] * gain_[k];
    }
  }

  const std::vector<float>& density_;
  float floor_;
  std::vector<float> gain_, last_clean_, raw_;
  Weight everywhere_, bare_;
};

// Weighted overlap-add in place: a frame's first hop is final before the next frame reads what follows it.
absl::Status FilterFrames(AudioBuffer& audio, int size, WienerGain& wiener, const RunOptions& run) {
  const int hop = size / 4;
  RealFft fft(size);
  std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  for (float& value : window) value = std::sqrt(value);  // sum of squares at a quarter hop: 2
  const auto bins = static_cast<size_t>(fft.bins());
  const size_t channels = static_cast<size_t>(audio.channels());
  const float scale = 1.0f / (0.5f * static_cast<float>(size) * static_cast<float>(channels));
  std::vector<std::vector<std::complex<float>>> spectra(channels, std::vector<std::complex<float>>(bins));
  std::vector<std::vector<float>> tails(channels, std::vector<float>(static_cast<size_t>(size), 0.0f));
  std::vector<float> framed(static_cast<size_t>(size)), power(bins);
  int64_t taken = 0;
  for (int64_t start = -(size - hop); start < audio.frames(); start += hop, ++taken) {
    if (taken % 32 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(power.begin(), power.end(), 0.0f);
    for (size_t c = 0; c < channels; ++c) {
      // Frames from before the beginning overlap samples that are final only later, so nothing read was written yet.
      const std::span<const float> samples = audio.channel(static_cast<int>(c));
      for (int n = 0; n < size; ++n) {
        const int64_t at = start + n;
        const bool inside = at >= 0 && at < audio.frames();
        framed[static_cast<size_t>(n)] =
            inside ? samples[static_cast<size_t>(at)] * window[static_cast<size_t>(n)] : 0.0f;
      }
      fft.Forward(framed.data(), spectra[c].data());
      for (size_t k = 0; k < bins; ++k) power[k] += scale * std::norm(spectra[c][k]);
    }
    const std::vector<float>& gain = wiener.Next(power);
    for (size_t c = 0; c < channels; ++c) {
      for (size_t k = 0; k < bins; ++k) spectra[c][k] *= gain[k];
      fft.Inverse(spectra[c].data(), framed.data());
      std::vector<float>& tail = tails[c];
      for (size_t n = 0; n < framed.size(); ++n) tail[n] += 0.5f * framed[n] * window[n];
      const std::span<float> samples = audio.mutable_channel(static_cast<int>(c));
      for (int n = 0; n < hop; ++n) {
        const int64_t at = start + n;
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
