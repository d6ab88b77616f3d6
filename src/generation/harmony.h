// Chords: from Roman numerals or labels, laid out in time, and voiced so that each voice moves as little as it can.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grym {

struct MusicalKey {
  int tonic = 0;  // pitch class, C = 0
  bool minor = false;
  std::vector<int> scale() const;  // seven pitch classes from the tonic: major or natural minor
};

struct ChordTones {
  int root = 0;                   // pitch class
  std::vector<int> intervals;     // semitones above the root, rising, the first is 0
  std::string label;              // "Am7"
  bool contains(int pitch) const; // by pitch class
  bool minor_third() const;
};

// "I", "vi", "bVII", "V7", "iio7", "IVmaj7", "Isus4", ... In minor, III, VI and VII are the natural minor's degrees and
// an upper-case V has its leading tone. InvalidArgument names what is no numeral.
absl::StatusOr<ChordTones> ChordFromRoman(std::string_view roman, const MusicalKey& key);
// "C", "F#m", "Bbmaj7", "G7", "Dm7b5", "Esus4", ... InvalidArgument for others ("N" included).
absl::StatusOr<ChordTones> ChordFromLabel(std::string_view label);

struct ChordSpan {
  double beat = 0;
  double beats = 4;
  ChordTones chord;
};

// Chords one after another; spans are contiguous from beat 0.
class ChordTrack {
 public:
  void Append(double beats, ChordTones chord);
  const ChordSpan& At(double beat) const;    // the first or last beyond the ends; requires !empty()
  const ChordSpan& After(double beat) const; // the span that follows the one at `beat` (the last stays)
  const std::vector<ChordSpan>& spans() const { return spans_; }
  bool empty() const { return spans_.empty(); }
  double end_beat() const { return spans_.empty() ? 0 : spans_.back().beat + spans_.back().beats; }

 private:
  size_t IndexAt(double beat) const;
  std::vector<ChordSpan> spans_;
};

// The voicing of `chord` with at most `voices` pitches inside [low, high] that moves least from `previous` (empty:
// none) and keeps no more than two voices in parallel fifths or octaves where another voicing avoids it. Rising
// pitches; none for a chord without tones ("N").
std::vector<int> VoiceChord(const ChordTones& chord, const std::vector<int>& previous, int low, int high, int voices);

// The pitch of class `pitch_class` nearest to `near` inside [low, high] (an octave at least).
int NearestPitch(int pitch_class, int near, int low, int high);

// Scale of `key` with the seventh raised where `chord` holds the leading tone.
std::vector<int> ScaleOver(const MusicalKey& key, const ChordTones& chord);

// The key whose Krumhansl-Kessler profile (1990) correlates best with twelve pitch-class weights.
MusicalKey KeyOfProfile(const std::vector<double>& weights);

}  // namespace grym
