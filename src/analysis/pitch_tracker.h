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
  // The samples that decide a lag t span window + t; their middle is what a frame is centred on, for t of 200 Hz.
  static constexpr int kLead = kWindow / 2 + kPitchRateHz / 200 / 2;
  static constexpr double kLowestHz = 50, kHighestHz = 2000;
  // Takes `at_once` frames at a time, see BatchFramer: the result does not depend on it.
  explicit PitchTracker(int at_once = RealFftBatch::kFrames);
  // Allocates nothing from now on, but for Finish, and keeps what comes of the first `samples` alone.
  void Reserve(int64_t samples);
  void Push(std::span<const float> mono);
  // What the path says that is the likeliest so far: later frames may yet change it.
  struct Now {
    int64_t frames = 0;     // taken so far; the last is centred at (frames - 1) * kHop / kPitchRateHz
    float f0_hz = 0;        // 0 where unvoiced
    float confidence = 0;   // that it is voiced at all, [0, 1]
  };
  const Now& now() const { return now_; }
  Pitch Finish();

 private:
  struct Candidate {
    float hz = 0;
    float probability = 0;
  };
  static constexpr int kStates = kMostCandidates + 1;  // the last is unvoiced
  struct Frame {
    int64_t first = 0;  // of its candidates, likeliest first
    int count = 0;
    std::array<signed char, kStates> from{};  // the best state before each of its states
  };
  void Take(const float* first, int frames);
  void Difference(const float* frame, int lane);
  void Collect();
  void Advance();
  BatchFramer framer_;
  RealFftBatch fft_;
  std::vector<float> head_, whole_;                // what is heard of a frame: its first half, and all of it
  std::vector<float> head_spectra_, spectra_, correlation_;  // of eight frames
  std::vector<float> normalised_;
  std::vector<float> threshold_weight_;  // beta(2, 18) over 100 thresholds, cumulated from above
  std::vector<int> minima_;       // lags of one frame
  std::vector<Candidate> found_;  // of one frame
  std::array<double, kStates> path_{}, kept_path_{}, semitones_{};
  int states_before_ = 0;
  Now now_;
  std::vector<Candidate> candidates_;
  std::vector<Frame> frames_;
  int64_t most_frames_ = INT64_MAX;
};

}  // namespace grym
