#include "models/clap/mel_features.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "dsp/logarithm.h"
#include "dsp/stft.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr float kLeastPower = 1e-10f;

GRYM_HOT void ClapDecibels(float* power, int count) {
  for (int i = 0; i < count; ++i) power[i] = VectorDbOfPower(power[i] > kLeastPower ? power[i] : kLeastPower);
}

FilterBank ClapBank(const ClapFeatureConfig& config) {
  const auto make = config.truncation == ClapTruncation::kFusion ? &FilterBank::HtkMel : &FilterBank::Mel;
  return make(static_cast<int>(config.rate_hz), static_cast<int>(config.fft_size), static_cast<int>(config.mel_bins),
              config.low_hz, config.high_hz);
}

}  // namespace

ClapFeatureExtractor::ClapFeatureExtractor(const ClapFeatureConfig& config)
    : config_(config),
      bank_(ClapBank(config)),
      transform_(static_cast<int>(config.fft_size)),
      window_(MakeWindow(WindowKind::kHann, static_cast<int>(config.fft_size))),
      power_(static_cast<size_t>(transform_.bins()) * kLanes),
      bands_(static_cast<size_t>(config.mel_bins) * kLanes) {}

std::vector<float> ClapFeatureExtractor::LogMel(std::span<const float> samples) {
  const int size = transform_.size(), hop = static_cast<int>(config_.hop_frames), bands = bank_.bands();
  const size_t half = static_cast<size_t>(size) / 2, count = samples.size();
  const auto frames = static_cast<int64_t>(1 + count / static_cast<size_t>(hop));
  std::vector<float> mel(static_cast<size_t>(frames * bands));
  int64_t done = 0;
  const auto take = [&](const float* first, int ready) {
    const auto wanted = static_cast<int>(std::min<int64_t>(ready, frames - done));
    if (wanted <= 0) return;
    transform_.Power(first, hop, window_.data(), power_.data());
    bank_.ApplyToLanes(power_.data(), bands_.data());
    ClapDecibels(bands_.data(), bands * kLanes);
    for (int lane = 0; lane < wanted; ++lane) {
      TakeLane(bands_.data(), bands, lane, mel.data() + (done + lane) * bands);
    }
    done += wanted;
  };
  std::vector<float> mirrored(half);
  for (size_t i = 0; i < half; ++i) mirrored[i] = samples[half - i];
  BatchFramer framer(size, hop, /*lead=*/0);
  framer.Push(mirrored, take);
  framer.Push(samples, take);
  for (size_t i = 0; i < half; ++i) mirrored[i] = samples[count - 2 - i];
  framer.Push(mirrored, take);
  framer.Finish(take);
  return mel;
}

std::vector<float> ClapFeatureExtractor::Pad(std::span<const float> samples) const {
  const auto wanted = static_cast<size_t>(config_.max_samples());
  std::vector<float> padded;
  padded.reserve(wanted);
  const size_t whole = config_.padding == ClapPadding::kPad ? 1 : wanted / samples.size();
  for (size_t i = 0; i < whole; ++i) padded.insert(padded.end(), samples.begin(), samples.end());
  if (config_.padding == ClapPadding::kRepeat) {
    const size_t missing = wanted - padded.size();
    padded.insert(padded.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(missing));
  }
  padded.resize(wanted);
  return padded;
}

// Linear interpolation between rows at pixel centres, as torch's "bilinear" without align_corners does along time.
ClapFeatures ClapFeatureExtractor::Fuse(const std::vector<float>& mel, int64_t frames) const {
  const int64_t wanted = config_.frames(), bands = config_.mel_bins;
  ClapFeatures features{4, wanted, bands, {}, true};
  features.values.reserve(static_cast<size_t>(4 * wanted * bands));
  const double step = static_cast<double>(frames) / static_cast<double>(wanted);
  for (int64_t i = 0; i < wanted; ++i) {
    const double at = std::max(0.0, step * (static_cast<double>(i) + 0.5) - 0.5);
    const int64_t lower = std::min(static_cast<int64_t>(at), frames - 1), upper = std::min(lower + 1, frames - 1);
    const auto share = static_cast<float>(at - static_cast<double>(lower));
    for (int64_t band = 0; band < bands; ++band) {
      features.values.push_back((1 - share) * mel[static_cast<size_t>(lower * bands + band)] +
                                share * mel[static_cast<size_t>(upper * bands + band)]);
    }
  }
  // Starts of parts are cut into thirds, the first ones a start longer where they do not divide.
  const int64_t starts = frames - wanted + 1;
  int64_t first = 0;
  for (int64_t third = 0; third < 3; ++third) {
    const int64_t length = starts / 3 + (third < starts % 3 ? 1 : 0);
    const int64_t start = length > 0 ? first + length / 2 : 0;
    const auto begin = mel.begin() + start * bands;
    features.values.insert(features.values.end(), begin, begin + wanted * bands);
    first += length;
  }
  return features;
}

absl::StatusOr<ClapFeatures> ClapFeatureExtractor::Extract(std::span<const float> mono) {
  if (mono.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames", "clap/features: want frames, got none");
  }
  const bool fusion = config_.truncation == ClapTruncation::kFusion;
  const auto most = static_cast<size_t>(config_.max_samples());
  std::vector<float> mel;
  if (mono.size() < most) {
    mel = LogMel(Pad(mono));
  } else if (fusion) {
    mel = LogMel(mono);
    const int64_t frames = static_cast<int64_t>(mel.size()) / config_.mel_bins;
    if (frames > config_.frames()) return Fuse(mel, frames);
  } else {
    mel = LogMel(mono.subspan((mono.size() - most) / 2, most));
  }
  ClapFeatures features{fusion ? 4 : 1, config_.frames(), config_.mel_bins, std::move(mel), fusion};
  if (fusion) {
    const std::vector<float> once = features.values;
    for (int copy = 1; copy < 4; ++copy) features.values.insert(features.values.end(), once.begin(), once.end());
  }
  return features;
}

std::vector<int64_t> ClapFeatureExtractor::WindowStarts(int64_t samples) const {
  const int64_t window = config_.max_samples();
  const int64_t count = std::max<int64_t>(1, (samples + window - 1) / window);
  std::vector<int64_t> starts = {0};
  for (int64_t i = 1; i < count; ++i) starts.push_back((samples - window) * i / (count - 1));
  return starts;
}

}  // namespace grym
