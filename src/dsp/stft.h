// Short-time Fourier transform: of a whole signal with its exact inverse, and as a stream of frames.
#pragma once
#include <algorithm>
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/fft.h"
#include "dsp/fft_batch.h"
#include "dsp/window.h"

namespace grym {

struct StftOptions {
  int size = 2048;  // power of two
  int hop = 512;    // at most size / 2, so that every sample is covered
  WindowKind window = WindowKind::kHann;
};

// Frame i is centred at sample i * hop; the signal is zero outside. Shape [frames, bins].
struct Spectrogram {
  StftOptions options;
  int bins = 0;
  int64_t frames = 0;
  int64_t samples = 0;  // of the signal it came from
  std::vector<std::complex<float>> values;
  std::complex<float>* frame(int64_t i) { return values.data() + i * bins; }
  const std::complex<float>* frame(int64_t i) const { return values.data() + i * bins; }
};

// frames = 1 + ceil(samples / hop).
Spectrogram Stft(std::span<const float> signal, const StftOptions& options = {});
// Weighted overlap-add, normalised by the sum of squared windows: returns the signal of an untouched spectrogram to
// float32 rounding, and the least-squares signal of a changed one. Source: Griffin and Lim 1984, equation 6.
std::vector<float> Istft(const Spectrogram& spectrogram);

// Cuts a stream into overlapping frames, as many at a time as RealFftBatch takes: frame i covers samples
// [i * hop - lead, i * hop - lead + size); with the default lead of size / 2 it is centred as above. Fewer at a time,
// `at_once`, are told sooner and cost as much as a whole batch; what the transform makes of a frame stays the same,
// since no lane looks at another. Requires hop <= size. Memory: a batch, allocated once. Threads: one at a time.
class BatchFramer {
 public:
  BatchFramer(int size, int hop, int lead = -1, int at_once = RealFftBatch::kFrames);
  // Calls `take(const float* first, int frames)` for each batch that became complete: `frames` of them, of which frame
  // f begins at first + f * hop. What a whole batch would hold beyond them is readable.
  template <class Take>
  void Push(std::span<const float> samples, Take&& take) {
    for (size_t at = 0; at < samples.size();) {
      at += Fill(samples.subspan(at));
      if (filled_ == complete_) {
        take(static_cast<const float*>(batch_.data()), at_once_);
        Advance();
      }
    }
    pushed_ += static_cast<int64_t>(samples.size());
  }
  // The frames that still reach into the signal's end, zero padded: 1 + floor(samples / hop) in all, none for an empty
  // signal. The last batch may hold fewer frames.
  template <class Take>
  void Finish(Take&& take) {
    const int64_t wanted = pushed_ > 0 ? 1 + pushed_ / hop_ : 0;
    while (taken_ < wanted) {
      PadWithZeros();
      take(static_cast<const float*>(batch_.data()),
           static_cast<int>(std::min<int64_t>(at_once_, wanted - taken_)));
      Advance();
    }
  }

 private:
  size_t Fill(std::span<const float> samples);
  void Advance();
  void PadWithZeros();
  int hop_, at_once_;
  size_t complete_;  // samples that `at_once_` frames span
  size_t filled_;
  int64_t pushed_ = 0, taken_ = 0;
  std::vector<float> batch_;
};

}  // namespace grym
