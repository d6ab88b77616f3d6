// The likeliest beat of a stretch of onset strength.
#pragma once
#include <complex>
#include <span>
#include <vector>

#include "dsp/fft.h"

namespace grym {

// Peaks of the autocorrelation at the beat and its multiples, times the Fourier tempogram at the beat, whose octave
// errors go the other way (Peeters 2007), times how people tap (log-normal; van Noorden and Moelants 1999, McKinney and
// Moelants 2006). Allocates when made, never after. Threads: one at a time.
class TempoMeter {
 public:
  static constexpr int kWindow = 1024;  // frames, 12 s: a few bars of anything
  explicit TempoMeter(double rate_hz);  // of the activation
  void Clear();
  // At most kWindow frames of a beat activation.
  void Add(std::span<const float> activation);
  // Score of each tempo of the grid, over the windows since Clear.
  void Score();
  std::span<const double> scores() const { return scores_; }
  std::span<const double> grid_bpm() const { return grid_bpm_; }
  double best_near(double bpm, double within) const;  // best score at tempi of bpm * [1 - within, 1 + within]
  double best_bpm() const;  // 0 when there is nothing to hear

 private:
  double ScoreOf(double bpm) const;
  double rate_hz_;
  RealFft fft_;
  std::vector<double> correlation_;  // by lag in frames, each window divided by its energy
  std::vector<double> power_;        // squared magnitude of the spectrum
  double windows_ = 0;
  std::vector<float> frame_, back_;
  std::vector<std::complex<float>> bins_;
  std::vector<double> grid_bpm_, scores_;
};

}  // namespace grym
