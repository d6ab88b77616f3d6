#include "models/vae/log_mel.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "dsp/fft_batch.h"
#include "dsp/mel.h"
#include "dsp/window.h"

namespace grym {
namespace {

// The index in [0, count) that `at`, which may lie outside, mirrors to; the ends themselves are not repeated.
int64_t MirroredIndex(int64_t at, int64_t count) {
  if (count == 1) return 0;
  const int64_t period = 2 * (count - 1);
  at = ((at % period) + period) % period;
  return at < count ? at : period - at;
}

}  // namespace

absl::StatusOr<at::Tensor> LogMel(std::span<const float> samples, const LogMelOptions& options) {
  if (samples.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "no_audio", "log-mel: want at least one sample, got none");
  }
  constexpr int kAtOnce = RealFftBatch::kFrames;
  const auto count = static_cast<int64_t>(samples.size());
  const int64_t frames = count / options.hop + 1, batches = (frames + kAtOnce - 1) / kAtOnce;
  // Beyond the mirrored end zeros for the frames that fill the last batch and are dropped.
  const int64_t mirrored = count + options.size;
  std::vector<float> signal(static_cast<size_t>(std::max(mirrored, batches * kAtOnce * options.hop + options.size)));
  for (int64_t i = 0; i < mirrored; ++i) {
    const float value = samples[static_cast<size_t>(MirroredIndex(i - options.size / 2, count))];
    signal[static_cast<size_t>(i)] = std::clamp(value, -1.0f, 1.0f);
  }
  RealFftBatch fft(options.size);
  const FilterBank bank =
      FilterBank::Mel(options.rate_hz, options.size, options.bands, options.low_hz, options.high_hz);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, options.size);
  std::vector<float> spectrum(static_cast<size_t>(fft.bins()) * kAtOnce);
  std::vector<float> bands(static_cast<size_t>(options.bands) * kAtOnce);
  at::Tensor mel = at::empty({1, 1, frames, options.bands}, at::kFloat);
  float* out = mel.mutable_data_ptr<float>();
  for (int64_t first = 0; first < frames; first += kAtOnce) {
    fft.Power(signal.data() + first * options.hop, options.hop, window.data(), spectrum.data());
    for (float& value : spectrum) value = std::sqrt(value);
    bank.ApplyToLanes(spectrum.data(), bands.data());
    for (int64_t lane = 0; lane < std::min<int64_t>(kAtOnce, frames - first); ++lane) {
      for (int64_t band = 0; band < options.bands; ++band) {
        *out++ = std::log(std::max(bands[static_cast<size_t>(band * kAtOnce + lane)], options.floor));
      }
    }
  }
  return mel;
}

std::vector<float> CentredAtHalfScale(std::span<const float> samples) {
  std::vector<float> out(samples.begin(), samples.end());
  if (out.empty()) return out;
  double sum = 0;
  for (const float value : out) sum += value;
  const auto mean = static_cast<float>(sum / static_cast<double>(out.size()));
  float peak = 0;
  for (float& value : out) {
    value -= mean;
    peak = std::max(peak, std::abs(value));
  }
  const float gain = 0.5f / (peak + 1e-8f);  // the reference's guard against silence
  for (float& value : out) value *= gain;
  return out;
}

}  // namespace grym
