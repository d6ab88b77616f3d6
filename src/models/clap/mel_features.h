// What CLAP hears of a sound: log-mel spectra of ten seconds, or of a whole recording and three parts of it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "dsp/fft_batch.h"
#include "dsp/mel.h"
#include "models/clap/config.h"

namespace grym {

// Shape [channels, frames, bands], decibels of power from -100 on. One channel, or four of the fusion: the whole,
// shrunk to one window's frames, and three parts.
struct ClapFeatures {
  int64_t channels = 1, frames = 0, bands = 0;
  std::vector<float> values;
  bool longer = false;  // whether the parts are to be fused in
};

// Source: transformers 5.23, ClapFeatureExtractor, with spectrogram() and power_to_db() of audio_utils: periodic Hann
// window, frames centred at multiples of the hop and mirrored at the ends, Slaney's mel scale and norm for "rand_trunc",
// HTK's without a norm for "fusion", floor of 1e-10. Differs: float32 where the reference's transform is in double; and
// nothing is drawn by chance. Of what is longer than one window, "rand_trunc" hears the middle and "fusion" the middle
// of each third that the reference draws from. Fusing is always on, as the reference has it for a sound on its own.
// Threads: one at a time, since the transform's scratch space is part of it.
class ClapFeatureExtractor {
 public:
  explicit ClapFeatureExtractor(const ClapFeatureConfig& config);

  // `mono` at config.rate_hz, of any length. InvalidArgument (code "no_frames") for an empty one.
  absl::StatusOr<ClapFeatures> Extract(std::span<const float> mono);
  // Where windows begin that cover so many samples: evenly spaced, overlapping rather than padded. One at 0 for what is
  // not longer than a window.
  std::vector<int64_t> WindowStarts(int64_t samples) const;

  const ClapFeatureConfig& config() const { return config_; }

 private:
  // [1 + samples / hop, bands]. Requires more samples than half the transform's size.
  std::vector<float> LogMel(std::span<const float> samples);
  std::vector<float> Pad(std::span<const float> samples) const;
  ClapFeatures Fuse(const std::vector<float>& mel, int64_t frames) const;

  ClapFeatureConfig config_;
  FilterBank bank_;
  RealFftBatch transform_;
  std::vector<float> window_, power_, bands_;
};

}  // namespace grym
