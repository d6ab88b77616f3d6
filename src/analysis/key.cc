#include <algorithm>
#include <cmath>

#include "analysis/tonal.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

// How much each degree belongs to a key. Source: Temperley 1999, "What's key for key?", as revised in Temperley 2005.
constexpr std::array<double, 12> kMajorProfile = {0.748, 0.060, 0.488, 0.082, 0.670, 0.460,
                                                  0.096, 0.715, 0.104, 0.366, 0.057, 0.400};
constexpr std::array<double, 12> kMinorProfile = {0.712, 0.084, 0.474, 0.618, 0.049, 0.460,
                                                  0.105, 0.747, 0.404, 0.067, 0.133, 0.330};

std::array<double, 24> KeyScores(const std::array<double, 12>& pitches) {
  std::array<double, 24> scores{};
  std::array<double, 12> profile{};
  for (int key = 0; key < 24; ++key) {
    for (int degree = 0; degree < 12; ++degree) {
      profile[(key + degree) % 12] = key < 12 ? kMajorProfile[degree] : kMinorProfile[degree];
    }
    scores[key] = Correlation(pitches, profile);
  }
  return scores;
}

}  // namespace

KeyEstimate EstimateKey(const ChromaFrames& chroma) {
  std::array<double, 12> total{};
  double loudest = 0;
  for (const float level : chroma.level) loudest = std::max<double>(loudest, level);
  int64_t used = 0;
  for (size_t i = 0; i < chroma.treble.size(); ++i) {
    if (chroma.level[i] <= loudest * 1e-5) continue;  // 50 dB below the loudest: no music
    double sum = 0;
    for (int p = 0; p < 12; ++p) sum += chroma.treble[i][p] + 0.5 * chroma.bass[i][p];
    if (sum <= 0) continue;
    ++used;
    // Each frame has one vote, tempered by how loud it is.
    const double weight = std::pow(chroma.level[i] / loudest, 0.15) / sum;
    for (int p = 0; p < 12; ++p) total[p] += weight * (chroma.treble[i][p] + 0.5 * chroma.bass[i][p]);
  }
  KeyEstimate estimate;
  if (used < chroma.rate_hz) return estimate;  // under a second of tones
  const std::array<double, 24> scores = KeyScores(total);
  const int best = static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  double second = -1;
  for (int key = 0; key < 24; ++key) {
    if (key != best) second = std::max(second, scores[key]);
  }
  // Both a good fit and a lead: the fit falls to 0 at a correlation of 0.45, which noise reaches by chance.
  const double fit = std::clamp((scores[best] - 0.45) / 0.45, 0.0, 1.0);
  const double lead = std::clamp((scores[best] - second) / 0.15, 0.0, 1.0);
  estimate.confidence = fit * (0.5 + 0.5 * lead);
  if (estimate.confidence >= 0.35) estimate.key = KeyName(best);
  return estimate;
}

}  // namespace grym
