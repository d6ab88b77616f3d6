// Fundamental frequency of the leading voice of a mono stream at 22,050 Hz.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/fft_batch.h"
#include "dsp/stft.h"
#include "grymsynth/audio_features.h"

namespace grym {

inline constexpr int kPitchRateHz = 22050;

// YIN's difference function by FFT (de Cheveigné and Kawahara 2002) with pYIN's candidates and a Viterbi path through
// them (Mauch and Dixon 2014). Differs: states are the candidates themselves, at most five a frame, not a pitch grid,
// so the path costs 25 steps a frame.
class PitchTracker {
 public:
  static constexpr int kWindow = 1024, kHop = 256, kMostCandidates = 5;
  static constexpr double kLowestHz = 50, kHighestHz = 2000;
  PitchTracker();
  void Push(std::span<const float> mono);
  Pitch Finish();

 private:
  struct Candidate {
    float hz = 0;
    float probability = 0;
  };
  struct Frame {
    int64_t first = 0;
    int count = 0;
  };
  void Take(const float* first, int frames);
  void Difference(const float* frame, int lane);
  void Collect();
  BatchFramer framer_;
  RealFftBatch fft_;
  std::vector<float> head_, whole_;                // what is heard of a frame: its first half, and all of it
  std::vector<float> head_spectra_, spectra_, correlation_;  // of eight frames
  std::vector<float> normalised_;
  std::vector<float> threshold_weight_;  // beta(2, 18) over 100 thresholds, cumulated from above
  std::vector<Candidate> candidates_;
  std::vector<Frame> frames_;
};

}  // namespace grym
