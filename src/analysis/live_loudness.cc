#include "analysis/live_loudness.h"

#include <algorithm>

namespace grym {

void LiveLoudness::Follow(const KWeightedSums& sums) {
  if (seen_ == sums.closed()) return;
  for (; seen_ < sums.closed(); ++seen_) {
    if (seen_ + 1 >= kMomentarySteps) Add(sums.RecentEnergy(seen_, kMomentarySteps));
  }
  const auto lufs = [&](int64_t steps) {
    return seen_ < steps ? kSilent : LufsOfEnergy(sums.RecentEnergy(seen_ - 1, steps));
  };
  momentary_lufs_ = lufs(kMomentarySteps);
  short_term_lufs_ = lufs(kShortTermSteps);
  integrated_lufs_ = Integrated();
}

void LiveLoudness::Add(double energy) {
  const double lufs = LufsOfEnergy(energy);
  if (!(lufs >= kGate_lufs)) return;
  Bin& bin = bins_[static_cast<size_t>(std::min<double>((lufs - kGate_lufs) * kPerLu, kBins - 1))];
  ++bin.count;
  bin.energy += energy;
}

double LiveLoudness::Integrated() const {
  const auto mean_from = [&](int first) {
    Bin all;
    for (int i = first; i < kBins; ++i) {
      all.count += bins_[static_cast<size_t>(i)].count;
      all.energy += bins_[static_cast<size_t>(i)].energy;
    }
    return all.count > 0 ? LufsOfEnergy(all.energy / static_cast<double>(all.count)) : kSilent;
  };
  const double gate = mean_from(0) - 10;
  if (!(gate > kGate_lufs)) return mean_from(0);
  return mean_from(std::clamp(static_cast<int>((gate - kGate_lufs) * kPerLu + 0.5), 0, kBins - 1));
}

}  // namespace grym
