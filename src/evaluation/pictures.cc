#include "evaluation/pictures.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/status.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr double kPictureRateHz = 50;
constexpr double kLowestBandHz = 60;
constexpr double kLowestFineHz = 80, kHighestFineHz = 5000;
constexpr int kFineSlowReach = 30;  // steps of 5 cents on either side that make the slow part

// +1 or -1: a channel in antiphase to the first would cancel it in the mean.
float SideOf(const AudioBuffer& audio, int channel) {
  double product = 0;
  const std::span<const float> first = audio.channel(0), other = audio.channel(channel);
  for (size_t n = 0; n < first.size(); ++n) product += static_cast<double>(first[n]) * other[n];
  return product < 0 ? -1.0f : 1.0f;
}

// Power spectra of the channels' mean, those in antiphase turned over; `take` gets one at each hop. Frames are centred,
// zeros beyond the ends.
absl::Status ForEachSpectrum(const AudioBuffer& audio, int size, int64_t hop, const RunOptions& run,
                             const std::function<void(const std::vector<float>&)>& take) {
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  std::vector<float> framed(static_cast<size_t>(size)), power(static_cast<size_t>(fft.bins()));
  std::vector<float> sides;
  for (int c = 0; c < audio.channels(); ++c) sides.push_back(SideOf(audio, c));
  int64_t taken = 0;
  for (int64_t centre = 0; centre < audio.frames(); centre += hop, ++taken) {
    if (taken % 64 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(framed.begin(), framed.end(), 0.0f);
    const int64_t start = centre - size / 2;
    const int64_t from = std::max<int64_t>(0, start), until = std::min(audio.frames(), start + size);
    for (int c = 0; c < audio.channels(); ++c) {
      const float* samples = audio.channel(c).data();
      for (int64_t n = from; n < until; ++n)
        framed[static_cast<size_t>(n - start)] += sides[static_cast<size_t>(c)] * samples[n];
    }
    const float share = 1.0f / static_cast<float>(audio.channels());
    for (size_t n = 0; n < framed.size(); ++n) framed[n] *= window[n] * share;
    fft.Power(framed.data(), power.data());
    take(power);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BandPicture> MakeBandPicture(const AudioBuffer& audio, const RunOptions& run) {
  BandPicture picture;
  const int size = NextPowerOfTwo(static_cast<int>(0.07 * audio.rate_hz()));
  const int64_t hop = std::max<int64_t>(1, std::llround(audio.rate_hz() / kPictureRateHz));
  picture.rate_hz = static_cast<double>(audio.rate_hz()) / static_cast<double>(hop);
  const double bin_hz = static_cast<double>(audio.rate_hz()) / size;
  std::vector<int> edges;
  for (int b = 0; b <= BandPicture::kBands; ++b) {
    edges.push_back(static_cast<int>(std::lround(kLowestBandHz * std::exp2((b - 0.5) / 6) / bin_hz)));
  }
  std::vector<float> loudest;
  GRYM_RETURN_IF_ERROR(ForEachSpectrum(audio, size, hop, run, [&](const std::vector<float>& power) {
    float most = 0;
    for (size_t b = 0; b < BandPicture::kBands; ++b) {
      float sum = 0;
      for (int k = edges[b]; k < std::max(edges[b] + 1, edges[b + 1]); ++k) {
        if (k < static_cast<int>(power.size())) sum += power[static_cast<size_t>(k)];
      }
      picture.values.push_back(sum);
      most = std::max(most, sum);
    }
    loudest.push_back(most);
  }));
  const double loud = Percentile(std::move(loudest), 0.95) + 1e-12;
  for (float& value : picture.values) value = static_cast<float>(std::log10(1 + 1e4 * value / loud));
  return picture;
}

absl::StatusOr<std::vector<float>> MakeFineSpectrum(const AudioBuffer& audio, const RunOptions& run) {
  const int size = NextPowerOfTwo(static_cast<int>(0.3 * audio.rate_hz()));
  std::vector<double> mean(static_cast<size_t>(size / 2 + 1), 0.0);
  GRYM_RETURN_IF_ERROR(ForEachSpectrum(audio, size, size / 2, run, [&](const std::vector<float>& power) {
    double whole = 0;
    for (const float value : power) whole += value;
    if (whole < 1e-7) return;
    const double scale = 1 / std::sqrt(whole);  // loud passages count more, but not all
    for (size_t k = 0; k < power.size(); ++k) mean[k] += scale * power[k];
  }));
  const double bin_hz = static_cast<double>(audio.rate_hz()) / size;
  std::vector<float> fine;
  for (double hz = kLowestFineHz; hz < kHighestFineHz; hz *= std::exp2(kFineStepCents / 1200)) {
    const double place = hz / bin_hz;
    const auto low = static_cast<size_t>(place);
    if (low + 1 >= mean.size()) {
      fine.push_back(-9);
      continue;
    }
    const double part = place - static_cast<double>(low);
    fine.push_back(static_cast<float>(std::log10((1 - part) * mean[low] + part * mean[low + 1] + 1e-9)));
  }
  const std::vector<float> slow = MovingMean(fine, kFineSlowReach, kFineSlowReach);
  for (size_t i = 0; i < fine.size(); ++i) fine[i] -= slow[i];
  return fine;
}

}  // namespace grym
