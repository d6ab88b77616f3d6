#include "analysis/hum_line.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/statistics.h"

namespace grym {

// A comb of narrow lines that stand out of the median around them, at three harmonics or more. A held musical note has
// such a comb too, but hardly within 0.5 Hz of 50 or 60 and in the mean over a whole recording.
Hum FindHumLine(std::span<const double> power, double bin_hz) {
  Hum best;
  for (const double base : {50.0, 60.0}) {
    double sum = 0;
    int standing = 0, counted = 0;
    for (int h = 1; h <= 6; ++h) {
      const int centre = static_cast<int>(std::lround(h * base / bin_hz));
      const int around = static_cast<int>(std::lround(20 / bin_hz));
      if (centre + around >= static_cast<int>(power.size())) break;
      double line = 0;
      for (int k = centre - 1; k <= centre + 1; ++k) line = std::max(line, power[k]);
      std::vector<double> floor;
      for (int k = centre - around; k <= centre + around; ++k) {
        if (k >= 1 && std::abs(k - centre) > 4) floor.push_back(power[k]);
      }
      const double db = 10 * std::log10((line + 1e-20) / (Median(floor) + 1e-20));
      ++counted;
      if (db > 8) {
        ++standing;
        sum += db;
      }
    }
    if (standing >= 3 && 2 * standing >= counted && sum / standing > best.db) best = {base, sum / standing};
  }
  return best;
}

}  // namespace grym
