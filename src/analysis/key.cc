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

constexpr std::array<double, 12> kMajorTriad = {1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0};
constexpr std::array<double, 12> kMinorTriad = {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0};

// Music tends to begin on the tonic and more so to end on it, which tells keys apart that share most of their notes.
// Little enough to cost an excerpt that begins and ends anywhere next to nothing.
constexpr double kEdge_s = 2, kBeginningWeight = 0.05, kEndWeight = 0.1;

using PitchWeights = std::array<double, 12>;

std::array<double, 24> Correlations(const PitchWeights& pitches, const PitchWeights& major, const PitchWeights& minor) {
  std::array<double, 24> scores{};
  PitchWeights profile{};
  for (int key = 0; key < 24; ++key) {
    for (int degree = 0; degree < 12; ++degree) {
      profile[(key + degree) % 12] = key < 12 ? major[degree] : minor[degree];
    }
    scores[key] = Correlation(pitches, profile);
  }
  return scores;
}

// One vote of each frame that sounds, tempered by how loud it is.
std::vector<PitchWeights> Votes(const ChromaFrames& chroma) {
  std::vector<PitchWeights> votes;
  double loudest = 0;
  for (const float level : chroma.level) loudest = std::max<double>(loudest, level);
  for (size_t i = 0; i < chroma.treble.size(); ++i) {
    if (chroma.level[i] <= loudest * 1e-5) continue;  // 50 dB below the loudest: no music
    PitchWeights vote{};
    double sum = 0;
    for (int p = 0; p < 12; ++p) {
      vote[p] = chroma.treble[i][p] + 0.5 * chroma.bass[i][p];
      sum += vote[p];
    }
    if (sum <= 0) continue;
    for (double& share : vote) share *= std::pow(chroma.level[i] / loudest, 0.15) / sum;
    votes.push_back(vote);
  }
  return votes;
}

PitchWeights Sum(std::span<const PitchWeights> votes) {
  PitchWeights sum{};
  for (const PitchWeights& vote : votes) {
    for (int p = 0; p < 12; ++p) sum[p] += vote[p];
  }
  return sum;
}

void FavourEdges(std::span<const PitchWeights> votes, double rate_hz, std::array<double, 24>& scores) {
  const auto edge = static_cast<size_t>(std::lround(kEdge_s * rate_hz));
  if (votes.size() <= 3 * edge) return;
  const auto first = Correlations(Sum(votes.first(edge)), kMajorTriad, kMinorTriad),
             last = Correlations(Sum(votes.last(edge)), kMajorTriad, kMinorTriad);
  for (int key = 0; key < 24; ++key) {
    scores[key] += kBeginningWeight * std::max(0.0, first[key]) + kEndWeight * std::max(0.0, last[key]);
  }
}

}  // namespace

KeyEstimate EstimateKey(const ChromaFrames& chroma) {
  KeyEstimate estimate;
  const std::vector<PitchWeights> votes = Votes(chroma);
  if (static_cast<double>(votes.size()) < chroma.rate_hz) return estimate;  // under a second of tones
  const std::array<double, 24> fits = Correlations(Sum(votes), kMajorProfile, kMinorProfile);
  std::array<double, 24> scores = fits;
  FavourEdges(votes, chroma.rate_hz, scores);
  const int best = static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  double second = -1;
  for (int key = 0; key < 24; ++key) {
    if (key != best) second = std::max(second, scores[key]);
  }
  // Both a good fit and a lead: the fit falls to 0 at a correlation of 0.45, which noise reaches by chance.
  const double fit = std::clamp((fits[best] - 0.45) / 0.45, 0.0, 1.0);
  const double lead = std::clamp((scores[best] - second) / 0.15, 0.0, 1.0);
  estimate.confidence = fit * (0.5 + 0.5 * lead);
  if (estimate.confidence >= 0.35) estimate.key = KeyName(best);
  return estimate;
}

}  // namespace grym
