#include "patterns/detect.h"

#include <algorithm>
#include <cmath>

#include "patterns/bar_grid.h"
#include "patterns/kinds.h"

namespace grym {

AudioPatterns DetectPatternsIn(const AudioFeatures& features) {
  AudioPatterns found;
  found.duration_s = std::isfinite(features.duration_s) ? features.duration_s : 0;
  const BarGrid bars = MakeBarGrid(features);
  FindRhythmic(features, bars, found.patterns);
  FindHarmonic(features, bars, found.patterns);
  FindMelodic(features, bars, found.patterns);
  FindTimbral(features, found.patterns);
  FindStructural(features, found.patterns);
  FindLoop(features, found.patterns);
  std::stable_sort(found.patterns.begin(), found.patterns.end(),
                   [](const AudioPattern& a, const AudioPattern& b) { return a.strength > b.strength; });
  return found;
}

}  // namespace grym
