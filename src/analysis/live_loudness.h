// Loudness so far, from the steps of a running K weighting.
#pragma once
#include <array>
#include <cstdint>
#include <limits>

#include "analysis/k_weighting.h"

namespace grym {

// Momentary, short-term and gated loudness after BS.1770. The gate at 10 LU below the mean needs every window: they are
// kept as a histogram in steps of 0.05 LU that holds energies besides counts, so that only the one bin which the gate
// cuts is inexact. Fixed memory, bounded work. Threads: one at a time.
class LiveLoudness {
 public:
  // Follows `sums`, which must not have closed more than kRecent - kShortTermSteps steps since the last call.
  void Follow(const KWeightedSums& sums);
  double momentary_lufs() const { return momentary_lufs_; }
  double short_term_lufs() const { return short_term_lufs_; }
  double integrated_lufs() const { return integrated_lufs_; }

 private:
  static constexpr double kGate_lufs = -70, kPerLu = 20;
  static constexpr int kBins = 2000;  // to +30 LUFS; the last holds what is beyond
  void Add(double energy);
  double Integrated() const;
  struct Bin {
    int64_t count = 0;
    double energy = 0;
  };
  std::array<Bin, kBins> bins_{};
  int64_t seen_ = 0;
  double momentary_lufs_ = kSilent, short_term_lufs_ = kSilent, integrated_lufs_ = kSilent;
  static constexpr double kSilent = -std::numeric_limits<double>::infinity();
};

}  // namespace grym
