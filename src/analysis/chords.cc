#include <algorithm>
#include <cmath>

#include "analysis/tonal.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr std::array<const char*, 12> kRootNames = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};
struct ChordKind {
  const char* suffix;
  std::array<int, 4> degrees;
  int count;
  double bias;  // a fourth note must earn its place, a rare chord too
};
constexpr std::array<ChordKind, 6> kChordKinds = {{{"", {0, 4, 7, 0}, 3, 0.0},
                                                   {"m", {0, 3, 7, 0}, 3, 0.0},
                                                   {"7", {0, 4, 7, 10}, 4, -0.04},
                                                   {"maj7", {0, 4, 7, 11}, 4, -0.04},
                                                   {"m7", {0, 3, 7, 10}, 4, -0.04},
                                                   {"dim", {0, 3, 6, 0}, 3, -0.04}}};
constexpr int kChords = 12 * static_cast<int>(kChordKinds.size());  // then one state for none
constexpr int kNoChord = kChords;
using ChordScores = std::array<double, kChords + 1>;

constexpr double kBassWeight = 0.16, kKeyWeight = 0.06;
// Chords change on the first beat of a bar rather than within it. In units of a segment's score times kSharpness.
constexpr double kSharpness = 10, kChangeCost = 1.6, kChangeOnDownbeat = 0.8, kChangeWithinBar = 2.4;

struct Segment {
  double start_s, end_s;
  Chroma treble{}, bass{};
  double level = 0;
};

void JoinShortEnds(std::vector<double>& edges) {
  std::vector<double> lengths;
  for (size_t i = 1; i < edges.size(); ++i) lengths.push_back(edges[i] - edges[i - 1]);
  const double shortest = 0.5 * Median(lengths);
  if (edges.size() > 2 && lengths.back() < shortest) edges.erase(edges.end() - 2);
  if (edges.size() > 2 && lengths.front() < shortest) edges.erase(edges.begin() + 1);
}

// One segment per beat where beats are known (long beats halved), half a second before the first and after the last;
// a fifth of a second without beats. A short rest at either end joins its neighbour: a decay holds what rings longest.
std::vector<Segment> CutIntoSegments(const ChromaFrames& chroma, std::span<const double> beats_s, double duration_s) {
  std::vector<double> edges = {0};
  const auto add = [&](double t) {
    if (t > edges.back() + 0.1 && t < duration_s - 0.1) edges.push_back(t);
  };
  if (!beats_s.empty()) {
    for (double t = std::fmod(beats_s.front(), 0.5); t < beats_s.front() - 0.25; t += 0.5) add(t);
  }
  for (size_t i = 0; i < beats_s.size(); ++i) {
    if (i > 0 && beats_s[i] - beats_s[i - 1] > 0.7) add(0.5 * (beats_s[i] + beats_s[i - 1]));
    add(beats_s[i]);
  }
  if (beats_s.empty()) {
    for (double t = 0.2; t < duration_s; t += 0.2) add(t);
  } else {
    for (double t = beats_s.back() + 0.5; t < duration_s; t += 0.5) add(t);
  }
  edges.push_back(duration_s);
  JoinShortEnds(edges);
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

// 1 for chords whose tones all belong to the key, a minor key's dominant with its leading tone among them; else 0.
std::array<double, kChords> Belonging(int key) {
  constexpr std::array<int, 12> kMajorScale = {1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1};
  const bool minor = key >= 12;
  const int tonic = key % 12, major = minor ? (tonic + 3) % 12 : tonic;
  std::array<double, kChords> belongs{};
  for (int chord = 0; chord < kChords; ++chord) {
    const ChordKind& kind = kChordKinds[chord / 12];
    const int root = chord % 12;
    const bool dominant = minor && root == (tonic + 7) % 12 && kind.degrees[1] == 4;
    bool all = true;
    for (int d = 0; d < kind.count; ++d) {
      const int pitch = (root + kind.degrees[d]) % 12;
      all = all && (kMajorScale[(pitch - major + 12) % 12] == 1 || (dominant && pitch == (tonic + 11) % 12));
    }
    belongs[chord] = all ? 1 : 0;
  }
  return belongs;
}

// Cosine with each chord's tones, plus the bass speaking for the root and the key for what belongs to it.
ChordScores ScoreChords(const Segment& segment, double loudest, const std::array<double, kChords>& favour) {
  const Chroma treble = UnitLength(segment.treble), bass = UnitLength(segment.bass);
  ChordScores scores{};
  for (int chord = 0; chord < kChords; ++chord) {
    const ChordKind& kind = kChordKinds[chord / 12];
    const int root = chord % 12;
    double sum = 0;
    for (int d = 0; d < kind.count; ++d) sum += treble[(root + kind.degrees[d]) % 12];
    // The key speaks for what sounds at all like the chord: a lone note reaches a fit of 0.577, a flat chroma 0.58.
    const double fit = sum / std::sqrt(kind.count), like = std::clamp((fit - 0.58) / 0.1, 0.0, 1.0);
    scores[chord] = fit + kBassWeight * bass[root] + kind.bias + like * favour[chord];
  }
  // Neither a lone note nor a flat chroma is a chord, nor does the bass make one.
  const double strongest = *std::max_element(bass.begin(), bass.end());
  scores[kNoChord] = segment.level < loudest * 1e-5 ? 2 : 0.58 + kBassWeight * strongest;
  return scores;
}

// What it costs to change the chord where a segment begins.
double CostOfChange(double time_s, std::span<const double> downbeats_s) {
  if (downbeats_s.empty()) return kChangeCost;
  const auto next = std::lower_bound(downbeats_s.begin(), downbeats_s.end(), time_s - 0.03);
  return next != downbeats_s.end() && *next < time_s + 0.03 ? kChangeOnDownbeat : kChangeWithinBar;
}

// How sure a label is: a good fit, and a lead over the next.
double Confidence(const ChordScores& scores, int label) {
  if (label == kNoChord) return 0;
  double second = 0;
  for (int c = 0; c <= kChords; ++c) {
    if (c != label) second = std::max(second, scores[c]);
  }
  return std::clamp(2 * (2 * scores[label] - second) - 1.3, 0.0, 1.0);
}

}  // namespace

// Viterbi over chords: the sequence is decided as a whole, short segments counting less. Source: Sheh and Ellis 2003,
// with templates in place of trained models (Fujishima 1999).
std::vector<Chord> RecogniseChords(const ChromaFrames& chroma, const ChordContext& context, double duration_s) {
  std::vector<Chord> chords;
  if (chroma.treble.empty() || duration_s <= 0) return chords;
  const std::vector<Segment> segments = CutIntoSegments(chroma, context.beats_s, duration_s);
  const double loudest = *std::max_element(chroma.level.begin(), chroma.level.end());
  std::vector<double> lengths;
  for (const Segment& segment : segments) lengths.push_back(segment.end_s - segment.start_s);
  const double usual = Median(lengths);
  std::array<double, kChords> favour{};
  if (const int key = context.key.key ? ParseKey(*context.key.key).value_or(-1) : -1; key >= 0) {
    favour = Belonging(key);
    for (double& each : favour) each *= kKeyWeight * context.key.confidence;
  }
  std::vector<ChordScores> scores;
  std::vector<std::array<unsigned char, kChords + 1>> from(segments.size());
  ChordScores path{};
  for (size_t s = 0; s < segments.size(); ++s) {
    scores.push_back(ScoreChords(segments[s], loudest, favour));
    const double weight = kSharpness * std::min(1.0, lengths[s] / usual);
    const double cost = CostOfChange(segments[s].start_s, context.downbeats_s);
    const int best = static_cast<int>(std::max_element(path.begin(), path.end()) - path.begin());
    ChordScores next{};
    for (int c = 0; c <= kChords; ++c) {
      const bool change = s > 0 && path[best] - cost > path[c];
      from[s][c] = static_cast<unsigned char>(change ? best : c);
      next[c] = (change ? path[best] - cost : path[c]) + weight * scores[s][c];
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
    const double confidence = Confidence(scores[s], labels[s]);
    if (!chords.empty() && chords.back().label == label) {
      const double before = chords.back().end_s - chords.back().start_s;
      chords.back().confidence = (chords.back().confidence * before + confidence * lengths[s]) / (before + lengths[s]);
      chords.back().end_s = segments[s].end_s;
    } else {
      chords.push_back({segments[s].start_s, segments[s].end_s, label, confidence});
    }
  }
  return chords;
}

}  // namespace grym
