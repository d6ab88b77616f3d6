#include "dsp/stft.h"

#include <algorithm>

namespace grym {

Spectrogram Stft(std::span<const float> signal, const StftOptions& options) {
  Spectrogram result;
  result.options = options;
  result.bins = options.size / 2 + 1;
  result.samples = static_cast<int64_t>(signal.size());
  result.frames = 1 + (result.samples + options.hop - 1) / options.hop;
  result.values.resize(static_cast<size_t>(result.frames) * result.bins);
  RealFft fft(options.size);
  const std::vector<float> window = MakeWindow(options.window, options.size);
  std::vector<float> frame(options.size);
  for (int64_t i = 0; i < result.frames; ++i) {
    const int64_t first = i * options.hop - options.size / 2;
    for (int n = 0; n < options.size; ++n) {
      const int64_t at = first + n;
      frame[n] = at >= 0 && at < result.samples ? signal[at] * window[n] : 0.0f;
    }
    fft.Forward(frame.data(), result.frame(i));
  }
  return result;
}

std::vector<float> Istft(const Spectrogram& spectrogram) {
  const StftOptions& options = spectrogram.options;
  RealFft fft(options.size);
  const std::vector<float> window = MakeWindow(options.window, options.size);
  std::vector<float> frame(options.size);
  std::vector<float> signal(spectrogram.samples), weight(spectrogram.samples);
  for (int64_t i = 0; i < spectrogram.frames; ++i) {
    fft.Inverse(spectrogram.frame(i), frame.data());
    const int64_t first = i * options.hop - options.size / 2;
    const int64_t begin = std::max<int64_t>(0, -first);
    const int64_t end = std::min<int64_t>(options.size, spectrogram.samples - first);
    for (int64_t n = begin; n < end; ++n) {
      signal[first + n] += frame[n] * window[n];
      weight[first + n] += window[n] * window[n];
    }
  }
  for (size_t n = 0; n < signal.size(); ++n) signal[n] = weight[n] > 1e-9f ? signal[n] / weight[n] : 0.0f;
  return signal;
}

BatchFramer::BatchFramer(int size, int hop, int lead, int at_once)
    : hop_(hop),
      at_once_(at_once),
      complete_(static_cast<size_t>(size + (at_once - 1) * hop)),
      filled_(static_cast<size_t>(lead < 0 ? size / 2 : lead)),
      batch_(static_cast<size_t>(size + (RealFftBatch::kFrames - 1) * hop)) {}

size_t BatchFramer::Fill(std::span<const float> samples) {
  const size_t count = std::min(samples.size(), complete_ - filled_);
  std::copy_n(samples.begin(), count, batch_.begin() + static_cast<std::ptrdiff_t>(filled_));
  filled_ += count;
  return count;
}

void BatchFramer::Advance() {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(at_once_) * hop_;
  std::copy(batch_.begin() + step, batch_.begin() + static_cast<std::ptrdiff_t>(complete_), batch_.begin());
  filled_ = complete_ - static_cast<size_t>(step);
  taken_ += at_once_;
}

void BatchFramer::PadWithZeros() {
  std::fill(batch_.begin() + static_cast<std::ptrdiff_t>(filled_), batch_.end(), 0.0f);
  filled_ = complete_;
}

}  // namespace grym
