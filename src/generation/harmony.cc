#include "generation/harmony.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/status.h"

namespace grym {
namespace {

constexpr std::array<int, 7> kMajorSteps = {0, 2, 4, 5, 7, 9, 11};
constexpr std::array<int, 7> kMinorSteps = {0, 2, 3, 5, 7, 8, 10};
constexpr const char* kPitchNames[] = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};

struct ChordSuffix {
  const char* text;
  std::vector<int> intervals;
};

const std::vector<ChordSuffix>& ChordSuffixes() {
  static const std::vector<ChordSuffix> suffixes = {
      {"", {0, 4, 7}},          {"m", {0, 3, 7}},          {"maj7", {0, 4, 7, 11}},  {"m7", {0, 3, 7, 10}},
      {"7", {0, 4, 7, 10}},     {"dim", {0, 3, 6}},        {"o", {0, 3, 6}},         {"m7b5", {0, 3, 6, 10}},
      {"dim7", {0, 3, 6, 9}},   {"aug", {0, 4, 8}},        {"sus4", {0, 5, 7}},      {"sus2", {0, 2, 7}},
      {"6", {0, 4, 7, 9}},      {"m6", {0, 3, 7, 9}},      {"9", {0, 4, 7, 10, 14}}, {"maj9", {0, 4, 7, 11, 14}},
      {"m9", {0, 3, 7, 10, 14}}, {"add9", {0, 4, 7, 14}},  {"madd9", {0, 3, 7, 14}}, {"5", {0, 7}},
      {"maj", {0, 4, 7}},       {"min", {0, 3, 7}},        {"min7", {0, 3, 7, 10}},  {"7sus4", {0, 5, 7, 10}},
      {"13", {0, 4, 10, 14, 21}}};
  return suffixes;
}

const std::vector<int>* IntervalsOf(std::string_view suffix) {
  for (const ChordSuffix& known : ChordSuffixes()) {
    if (suffix == known.text) return &known.intervals;
  }
  return nullptr;
}

// Reads the numeral's letters; returns its degree (0..6) or -1.
int RomanDegree(std::string_view roman, size_t* used, bool* lower) {
  static constexpr const char* kNumerals[] = {"VII", "III", "VI", "IV", "II", "V", "I"};
  static constexpr int kDegrees[] = {6, 2, 5, 3, 1, 4, 0};
  for (int i = 0; i < 7; ++i) {
    const std::string_view numeral = kNumerals[i];
    if (roman.size() < numeral.size()) continue;
    bool upper_match = true, lower_match = true;
    for (size_t k = 0; k < numeral.size(); ++k) {
      upper_match &= roman[k] == numeral[k];
      lower_match &= roman[k] == numeral[k] - 'A' + 'a';
    }
    if (!upper_match && !lower_match) continue;
    *used = numeral.size();
    *lower = lower_match;
    return kDegrees[i];
  }
  return -1;
}

}  // namespace

std::vector<int> MusicalKey::scale() const {
  std::vector<int> classes;
  for (const int step : minor ? kMinorSteps : kMajorSteps) classes.push_back((tonic + step) % 12);
  return classes;
}

bool ChordTones::contains(int pitch) const {
  return std::any_of(intervals.begin(), intervals.end(),
                     [&](int interval) { return ((pitch - root - interval) % 12 + 12) % 12 == 0; });
}

bool ChordTones::minor_third() const { return std::find(intervals.begin(), intervals.end(), 3) != intervals.end(); }

absl::StatusOr<ChordTones> ChordFromRoman(std::string_view roman, const MusicalKey& key) {
  std::string_view rest = roman;
  int shift = 0;
  while (!rest.empty() && (rest[0] == 'b' || rest[0] == '#')) {
    shift += rest[0] == 'b' ? -1 : 1;
    rest.remove_prefix(1);
  }
  size_t used = 0;
  bool lower = false;
  const int degree = RomanDegree(rest, &used, &lower);
  std::string suffix(degree < 0 ? std::string_view() : rest.substr(used));
  const bool plain = suffix == "o" || suffix == "dim" || suffix == "dim7" || suffix == "5" ||
                     suffix.starts_with("sus") || (suffix.starts_with("m") && !suffix.starts_with("maj"));
  if (lower && suffix == "o7") suffix = "m7b5";
  else if (lower && !plain) suffix = "m" + suffix;
  const std::vector<int>* intervals = degree < 0 ? nullptr : IntervalsOf(suffix);
  if (!intervals) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_chord",
                 "harmony: want a Roman numeral such as \"vi\" or \"V7\", got \"" + Printable(roman, 40) + "\"");
  }
  ChordTones chord;
  const int step = (key.minor ? kMinorSteps : kMajorSteps)[static_cast<size_t>(degree)];
  chord.root = ((key.tonic + step + shift) % 12 + 12) % 12;
  chord.intervals = *intervals;
  chord.label = kPitchNames[chord.root] + suffix;
  return chord;
}

absl::StatusOr<ChordTones> ChordFromLabel(std::string_view label) {
  static constexpr int kLetters[] = {9, 11, 0, 2, 4, 5, 7};  // A..G
  const std::string_view bare = label.substr(0, label.find('/'));
  if (!bare.empty() && bare[0] >= 'A' && bare[0] <= 'G') {
    int root = kLetters[bare[0] - 'A'];
    size_t used = 1;
    while (used < bare.size() && (bare[used] == '#' || bare[used] == 'b')) root += bare[used++] == '#' ? 1 : -1;
    std::string suffix(bare.substr(used));
    if (!suffix.empty() && suffix[0] == ':') suffix.erase(0, 1);
    if (const std::vector<int>* intervals = IntervalsOf(suffix)) {
      ChordTones chord;
      chord.root = (root % 12 + 12) % 12;
      chord.intervals = *intervals;
      chord.label = kPitchNames[chord.root] + suffix;
      return chord;
    }
  }
  return Error(absl::StatusCode::kInvalidArgument, "bad_chord",
               "harmony: want a chord label such as \"Am7\", got \"" + Printable(label, 40) + "\"");
}

void ChordTrack::Append(double beats, ChordTones chord) {
  spans_.push_back({end_beat(), beats, std::move(chord)});
}

size_t ChordTrack::IndexAt(double beat) const {
  const auto after = std::upper_bound(spans_.begin(), spans_.end(), beat + 1e-9,
                                      [](double value, const ChordSpan& span) { return value < span.beat; });
  return after == spans_.begin() ? 0 : static_cast<size_t>(after - spans_.begin()) - 1;
}

const ChordSpan& ChordTrack::At(double beat) const { return spans_[IndexAt(beat)]; }

const ChordSpan& ChordTrack::After(double beat) const {
  return spans_[std::min(IndexAt(beat) + 1, spans_.size() - 1)];
}

int NearestPitch(int pitch_class, int near, int low, int high) {
  int best = -1;
  for (int pitch = low; pitch <= high; ++pitch) {
    if ((pitch - pitch_class) % 12 != 0) continue;
    if (best < 0 || std::abs(pitch - near) < std::abs(best - near)) best = pitch;
  }
  return best < 0 ? low : best;
}

namespace {

// Total movement in semitones, each voice to its nearest counterpart, plus the pull towards the middle of the range.
double VoicingCost(const std::vector<int>& pitches, const std::vector<int>& previous, int low, int high) {
  double cost = 0, mean = 0;
  for (const int pitch : pitches) mean += pitch;
  mean /= static_cast<double>(pitches.size());
  cost += 0.15 * std::abs(mean - 0.5 * (low + high));
  for (size_t i = 1; i < pitches.size(); ++i) {
    const int gap = pitches[i] - pitches[i - 1];
    if (gap < 3 && pitches[i] < 60) cost += 3;  // close intervals turn to mud below middle C
    if (gap > 9) cost += 2;
  }
  if (previous.empty()) return cost;
  const size_t shared = std::min(pitches.size(), previous.size());
  for (size_t i = 0; i < shared; ++i) cost += std::abs(pitches[i] - previous[i]);
  for (size_t i = 0; i < shared; ++i) {
    for (size_t j = i + 1; j < shared; ++j) {
      const int before = (previous[j] - previous[i]) % 12, now = (pitches[j] - pitches[i]) % 12;
      const bool moved = pitches[i] != previous[i];
      if (moved && before == now && (now == 7 || now == 0)) cost += 2.5;
    }
  }
  return cost;
}

}  // namespace

std::vector<int> VoiceChord(const ChordTones& chord, const std::vector<int>& previous, int low, int high, int voices) {
  if (chord.intervals.empty()) return {};
  std::vector<int> classes;
  for (const int interval : chord.intervals) classes.push_back((chord.root + interval) % 12);
  // With more tones than voices the fifth goes first, then the root: the bass has it.
  // Two voices are a power chord: root and fifth.
  const int fifth_class = (chord.root + 7) % 12;
  if (voices == 2 && classes.size() > 2) classes = {chord.root, fifth_class};
  while (static_cast<int>(classes.size()) > std::max(voices, 2)) {
    const auto fifth = std::find(classes.begin(), classes.end(), fifth_class);
    classes.erase(fifth != classes.end() ? fifth : classes.begin());
  }
  std::vector<int> best;
  double best_cost = 0;
  const int count = static_cast<int>(classes.size());
  for (int rotation = 0; rotation < count; ++rotation) {
    for (int base = low; base <= high; ++base) {
      if ((base - classes[static_cast<size_t>(rotation)]) % 12 != 0) continue;
      std::vector<int> close = {base};
      for (int i = 1; i < count; ++i) {
        const int wanted = classes[static_cast<size_t>((rotation + i) % count)];
        close.push_back(close.back() + 1 + ((wanted - close.back() - 1) % 12 + 12) % 12);
      }
      std::vector<int> open = close;  // drop 2: the second voice from the top an octave lower
      if (count >= 3) open[open.size() - 2] -= 12;
      std::sort(open.begin(), open.end());
      for (const std::vector<int>* pitches : {&close, &open}) {
        if (pitches->front() < low || pitches->back() > high) continue;
        const double cost = VoicingCost(*pitches, previous, low, high);
        if (best.empty() || cost < best_cost) {
          best = *pitches;
          best_cost = cost;
        }
      }
    }
  }
  if (best.empty()) best = {NearestPitch(classes[0], (low + high) / 2, low, high)};
  return best;
}

std::vector<int> ScaleOver(const MusicalKey& key, const ChordTones& chord) {
  std::vector<int> scale = key.scale();
  if (key.minor && chord.contains(key.tonic + 11)) scale[6] = (key.tonic + 11) % 12;
  return scale;
}

MusicalKey KeyOfProfile(const std::vector<double>& weights) {
  static constexpr double kMajor[] = {6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88};
  static constexpr double kMinor[] = {6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17};
  double mean = 0;
  for (const double weight : weights) mean += weight / 12;
  MusicalKey best;
  double best_score = -2;
  for (int candidate = 0; candidate < 24; ++candidate) {
    const double* profile = candidate < 12 ? kMajor : kMinor;
    double profile_mean = 0, dot = 0, a = 1e-12, b = 1e-12;
    for (int i = 0; i < 12; ++i) profile_mean += profile[i] / 12;
    for (int i = 0; i < 12; ++i) {
      const double x = weights[static_cast<size_t>((candidate + i) % 12)] - mean, y = profile[i] - profile_mean;
      dot += x * y;
      a += x * x;
      b += y * y;
    }
    const double score = dot / std::sqrt(a * b);
    if (score > best_score) {
      best_score = score;
      best = {candidate % 12, candidate >= 12};
    }
  }
  return best;
}

}  // namespace grym
