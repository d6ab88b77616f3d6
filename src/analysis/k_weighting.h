// Loudness after ITU-R BS.1770-5: K weighting, and what follows from its sums.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/biquad.h"

namespace grym {

// Lengths of the windows of EBU Tech 3341, in steps of a tenth of a second.
inline constexpr int64_t kMomentarySteps = 4, kShortTermSteps = 30;

// Sums of squares of K-weighted channels, one for every tenth of a second. A step that met a sample which is no number
// counts as silent. Threads: one at a time.
class KWeightedSums {
 public:
  // Channels in the order of WAV: left, right, centre, LFE (left out), backs, sides. What comes from the sides counts
  // by +1.5 dB: in 5.1 the surrounds, in 6.1 and 7.1 the last two. Four channels are quadraphonic, five have no LFE.
  // From nine on all but the LFE and channels 7 and 8 count as they are.
  KWeightedSums(int channels, int rate_hz);
  // `channels` of `frames` samples each.
  void Push(std::span<const float* const> channels, int64_t frames);
  // Allocates nothing from now on, and keeps the first `most_steps` alone.
  void Reserve(int64_t most_steps);
  // Step i holds the frames [i, i + 1) * rate / 10; an unfinished one is left out.
  std::span<const double> steps() const { return steps_; }
  int64_t closed() const { return closed_; }  // steps so far, kept or not
  // Mean energy of the `count` steps up to and with step `last`, which is one of the last kRecent - count.
  static constexpr int64_t kRecent = 64;
  double RecentEnergy(int64_t last, int64_t count) const;
  int rate_hz() const { return rate_hz_; }

 private:
  struct Lane {
    double weight = 0;
    double shelf_1 = 0, shelf_2 = 0, high_pass_1 = 0, high_pass_2 = 0;  // state of the two filters
    double sum = 0;                                                     // of squares, since the last step
  };
  template <size_t kCount>
  void Advance(Lane* lanes, const float* const* channels, int64_t at, int64_t frames) const;
  void CloseStep();
  int rate_hz_;
  BiquadCoefficients shelf_, high_pass_;
  std::vector<Lane> lanes_;
  std::vector<double> steps_;
  std::array<double, kRecent> recent_{};  // step i at i % kRecent
  int64_t frames_ = 0, closed_ = 0, most_steps_ = INT64_MAX;
};

double LufsOfEnergy(double energy);  // mean energy of a window; -infinity for silence
double EnergyOfLufs(double lufs);

// LUFS of the last `count` steps up to and with step `last`; -infinity where there are fewer, or silence.
double LufsOfSteps(const KWeightedSums& sums, int64_t last, int64_t count);
// Gated at -70 LUFS and at 10 LU below the mean of the rest; -infinity for less than 400 ms or where all is gated.
double IntegratedLufsOf(const KWeightedSums& sums);
// EBU Tech 3342 (2016): the 10th to the 95th percentile of short-term loudness, read ten times a second, above -70 LUFS
// and above 20 LU below the mean; 0 for less than 3 s. libebur128 1.2 reads once a second, as the first edition did.
double LoudnessRangeOf(const KWeightedSums& sums);

}  // namespace grym
