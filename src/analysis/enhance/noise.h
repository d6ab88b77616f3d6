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
  double share = 0;               // of the bands of eight bins and more that do, [0, 1]
  double noise_dbfs = 0;          // power in those bands, RMS; -infinity when there are none
  double signal_dbfs = 0;         // of the whole recording, RMS
  int fft_size = 0;               // that `density` is for
  std::vector<float> density;     // [fft_size / 2 + 1]: E|X|^2 / sum(w^2) of the noise alone, all channels' mean; empty
                                  // when not found
  double SnrDb() const { return signal_dbfs - noise_dbfs; }
};

// In bands of a quarter octave, minimum statistics over the whole recording. Source: Martin 2001, "Noise power spectral
// density estimation based on optimal smoothing and minimum statistics". Differs: the noise is taken as steady, so the
// minimum is one 5 % quantile per band, and a band counts as noise only if
//   at least a fifth of all frames lie within 3.4 dB of it, and parts of the recording agree on it within 3 dB;
//   its level there moves no more than that of Gaussian noise of as many bins;
//   its bins are as uneven as noise in one frame, as even as noise on the mean of all, and keep nothing of their shape
//   from a frame to the next that shares no sample with it: held chords and distorted guitars do.
// Found when a fifth of the bands of eight bins and more do, plus a quarter second over the duration: the shorter, the
// likelier that music holds still. Below 0.8 s nothing is found. Noise that a player makes, and that holds as still as
// a machine's (a breath, a wash of cymbals without decay), cannot be told from it.
absl::StatusOr<NoiseFacts> FindNoise(const AudioBuffer& audio, const RunOptions& run = {});

// Turns down what FindNoise describes, never below a floor of -30 dB * amount, by two gains in a row. The first, a
// pilot, is spectral subtraction on the mean power of a neighbourhood of five frames by five bins, so that one bin's
// chance passes for no tone. Source: Siedenburg and Doerfler 2013, "Persistent time-frequency shrinkage for audio
// denoising", the persistent empirical Wiener. The second is a Wiener gain whose signal power is the pilot's result.
// Source: Plapous, Marro and Scalart 2006, two-step noise reduction. Differs: neighbours from the future count as much
// as those from the past, where a decision-directed estimate (Ephraim and Malah 1984) lags behind every onset.
// All channels share one gain, so the image stays. Only applied when the noise lies less than 48 dB below the
// recording. change_db: how far the noise floor fell, measured.
absl::StatusOr<EnhanceStage> Denoise(AudioBuffer& audio, double amount, const RunOptions& run = {});

}  // namespace grym
