#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/tonal.h"

namespace grym {
namespace {

constexpr std::array<const char*, 12> kRootNames = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};
struct ChordKind {
  const char* suffix;
  std::array<int, 4> degrees;
  int count;
  double bias;  // a fourth note must earn its place
};
constexpr std::array<ChordKind, 5> kChordKinds = {{{"", {0, 4, 7, 0}, 3, 0.0},
                                                   {"m", {0, 3, 7, 0}, 3, 0.0},
                                                   {"7", {0, 4, 7, 10}, 4, -0.04},
                                                   {"maj7", {0, 4, 7, 11}, 4, -0.04},
                                                   {"m7", {0, 3, 7, 10}, 4, -0.04}}};
constexpr int kChords = 12 * static_cast<int>(kChordKinds.size());  // then one state for none
constexpr int kNoChord = kChords;

struct Segment {
  double start_s, end_s;
  Chroma treble{}, bass{};
  double level = 0;
};

// One segment per beat where beats are known (long beats halved), else per fifth of a second.
std::vector<Segment> CutIntoSegments(const ChromaFrames& chroma, std::span<const double> beats_s, double duration_s) {
  std::vector<double> edges = {0};
  const auto add = [&](double t) {
    if (t > edges.back() + 0.1 && t < duration_s - 0.1) edges.push_back(t);
  };
  for (size_t i = 0; i < beats_s.size(); ++i) {
    if (i > 0 && beats_s[i] - beats_s[i - 1] > 0.7) add(0.5 * (beats_s[i] + beats_s[i - 1]));
    add(beats_s[i]);
  }
  if (beats_s.empty()) {
    for (double t = 0.2; t < duration_s; t += 0.2) add(t);
  } else {  // before the first and after the last beat
    for (double t = beats_s.back() + 0.5; t < duration_s; t += 0.5) add(t);
  }
  edges.push_back(duration_s);
  std::vector<Segment> segments;
  for (size_t s = 0; s + 1 < edges.size(); ++s) {
    Segment segment{edges[s], edges[s + 1]};
    int64_t from = std::lround(segment.start_s * chroma.rate_hz + 0.5),
            to = std::lround(segment.end_s * chroma.rate_hz - 0.5);
    from = std::clamp<int64_t>(from, 0, static_cast<int64_t>(chroma.treble.size()) - 1);
    to = std::clamp<int64_t>(to, from, static_cast<int64_t>(chroma.treble.size()) - 1);
    for (int64_t i = from; i <= to; ++i) {
      for (int p = 0; p < 12; ++p) {
        segment.treble[p] += chroma.treble[i][p];
        segment.bass[p] += chroma.bass[i][p];
      }
      segment.level += chroma.level[i];
    }
    segment.level /= static_cast<double>(to - from + 1);
    segments.push_back(segment);
  }
  return segments;
}

Chroma UnitLength(const Chroma& chroma) {
  double norm = 0;
  for (const float v : chroma) norm += static_cast<double>(v) * v;
  Chroma unit = chroma;
  for (float& v : unit) v = norm > 0 ? static_cast<float>(v / std::sqrt(norm)) : 0;
  return unit;
}

// Cosine with each chord's tones, plus the bass speaking for the root.
std::array<double, kChords + 1> ChordScores(const Segment& segment, double loudest) {
  const Chroma treble = UnitLength(segment.treble), bass = UnitLength(segment.bass);
  std::array<double, kChords + 1> scores{};
  for (int chord = 0; chord < kChords; ++chord) {
    const ChordKind& kind = kChordKinds[chord / 12];
    const int root = chord % 12;
    double sum = 0;
    for (int d = 0; d < kind.count; ++d) sum += treble[(root + kind.degrees[d]) % 12];
    scores[chord] = sum / std::sqrt(kind.count) + 0.12 * bass[root] + kind.bias;
  }
  scores[kNoChord] = segment.level < loudest * 1e-5 ? 2 : 0.62;  // a flat chroma reaches 0.5 with a triad
  return scores;
}

}  // namespace

// Viterbi over chords with one cost for any change: the sequence is decided as a whole. Source: Sheh and Ellis 2003,
// with templates in place of trained models (Fujishima 1999).
std::vector<Chord> RecogniseChords(const ChromaFrames& chroma, std::span<const double> beats_s, double duration_s) {
  std::vector<Chord> chords;
  if (chroma.treble.empty() || duration_s <= 0) return chords;
  const std::vector<Segment> segments = CutIntoSegments(chroma, beats_s, duration_s);
  const double loudest = *std::max_element(chroma.level.begin(), chroma.level.end());
  constexpr double kSharpness = 12, kChangeCost = 1.6;
  std::vector<std::array<double, kChords + 1>> scores;
  std::vector<std::array<unsigned char, kChords + 1>> from(segments.size());
  std::array<double, kChords + 1> path{};
  for (size_t s = 0; s < segments.size(); ++s) {
    scores.push_back(ChordScores(segments[s], loudest));
    const int best = static_cast<int>(std::max_element(path.begin(), path.end()) - path.begin());
    std::array<double, kChords + 1> next{};
    for (int c = 0; c <= kChords; ++c) {
      const bool change = s > 0 && path[best] - kChangeCost > path[c];
      from[s][c] = static_cast<unsigned char>(change ? best : c);
      next[c] = (change ? path[best] - kChangeCost : path[c]) + kSharpness * scores[s][c];
    }
    path = next;
  }
  std::vector<int> labels(segments.size());
  int at = static_cast<int>(std::max_element(path.begin(), path.end()) - path.begin());
  for (size_t s = segments.size(); s-- > 0;) {
    labels[s] = at;
    at = from[s][at];
  }
  for (size_t s = 0; s < segments.size(); ++s) {
    const std::string label =
        labels[s] == kNoChord ? "N" : std::string(kRootNames[labels[s] % 12]) + kChordKinds[labels[s] / 12].suffix;
    double second = 0;
    for (int c = 0; c <= kChords; ++c) {
      if (c != labels[s]) second = std::max(second, scores[s][c]);
    }
    const double confidence =
        labels[s] == kNoChord ? 0 : std::clamp(scores[s][labels[s]] - 0.4 + (scores[s][labels[s]] - second), 0.0, 1.0);
    const double length = segments[s].end_s - segments[s].start_s;
    if (!chords.empty() && chords.back().label == label) {
      const double before = chords.back().end_s - chords.back().start_s;
      chords.back().confidence = (chords.back().confidence * before + confidence * length) / (before + length);
      chords.back().end_s = segments[s].end_s;
    } else {
      chords.push_back({segments[s].start_s, segments[s].end_s, label, confidence});
    }
  }
  return chords;
}

}  // namespace grym
