// How much more the sound changes where windows meet than elsewhere.
#pragma once
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/fft.h"

namespace grym {

// Change is the spectral flux: the sum over bins of |log(1 + 1000 |X|)|'s difference between neighbouring frames of
// 1024 samples, 512 apart. Threads: one at a time.
class SeamMeter {
 public:
  SeamMeter();
  void Push(std::span<const float> mono);
  // What it keeps of all that was pushed, seams left out; and a fresh one's going on from there, `samples` having been
  // pushed. False for a memory of another size.
  std::vector<float> Memory() const;
  bool Recall(int64_t samples, std::span<const float> memory);
  // A seam at this sample, which need not have come yet; told in rising order.
  void AddSeam(int64_t sample) { seams_.push_back(sample); }
  int64_t seams() const { return static_cast<int64_t>(seams_.size()); }
  // Mean over the seams of the largest change within a frame of each, by the largest of three neighbours' mean
  // elsewhere: 1 for a seam that changes no more than any place does. 1 without a seam.
  double ratio() const;

 private:
  static constexpr int kSize = 1024, kHop = 512;
  RealFft fft_;
  std::vector<float> window_, pending_, frame_, log_, before_;
  std::vector<std::complex<float>> bins_;
  std::vector<float> flux_;  // of each frame; 0 for the first
  std::vector<int64_t> seams_;
};

}  // namespace grym
