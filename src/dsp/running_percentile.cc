#include "dsp/running_percentile.h"

#include <algorithm>
#include <cmath>

namespace grym {

void RunningPercentile::Add(float value) {
  const float place = (std::log2(std::max(value, 1e-30f)) - kLowestExponent) * kPerOctave;
  ++counts_[static_cast<size_t>(std::clamp(place + 1, 0.0f, static_cast<float>(counts_.size() - 1)))];
  if (++total_ < 2 * memory_) return;
  total_ = 0;
  for (int32_t& count : counts_) total_ += count /= 2;
}

double RunningPercentile::At(double fraction) const {
  if (total_ == 0) return 0;
  const double wanted = fraction * static_cast<double>(total_ - 1);
  int64_t below = 0;
  size_t bin = 0;
  while (bin + 1 < counts_.size() && static_cast<double>(below += counts_[bin]) <= wanted) ++bin;
  return bin == 0 ? 0 : std::exp2((static_cast<double>(bin) - 0.5) / kPerOctave + kLowestExponent);
}

}  // namespace grym
