// Steady background noise: whether there is any, how loud, and its spectrum.
#pragma once
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

struct NoiseFacts {
  bool found = false;             // enough of the spectrum shows a steady floor
  double share = 0;               // of the bands that do, [0, 1]
  double noise_dbfs = 0;          // power in those bands, RMS; -infinity when there are none
  double signal_dbfs = 0;         // of the whole recording, RMS
  int fft_size = 0;               // that `density` is for
  std::vector<float> density;     // [fft_size / 2 + 1]: E|X|^2 / sum(w^2) of the noise alone, all channels' mean; empty
                                  // when not found
  double SnrDb() const { return signal_dbfs - noise_dbfs; }
};

// In bands of a quarter octave, minimum statistics over the whole recording. Source: Martin 2001, "Noise power spectral
// density estimation based on optimal smoothing and minimum statistics". Differs: the noise is taken as steady, so the
// minimum is one 5 % quantile per band, and a band counts as noise only if (a) at least a fifth of all frames lie
// within 3.4 dB of it, (b) those frames are as flat inside the band as noise is, and (c) the eighths of the recording
// agree on it within 3 dB. Music's pauses, tails and held notes fail one of the three. Below 2 s nothing is found.
absl::StatusOr<NoiseFacts> FindNoise(const AudioBuffer& audio, const RunOptions& run = {});

// Turns down what FindNoise describes: decision-directed Wiener gain, never below a floor of -30 dB * amount.
// Source: Ephraim and Malah 1984, equation 51, with the gain smoothed over frequency where little but noise is left
// (against musical noise). All channels share one gain, so the image stays. Only applied when the noise lies less than
// 48 dB below the recording. change_db: how far the noise floor fell, measured.
absl::StatusOr<EnhanceStage> Denoise(AudioBuffer& audio, double amount, const RunOptions& run = {});

}  // namespace grym
