#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "base/status.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {
namespace {

constexpr double kLoopAgreement = 0.75;  // share of beats that must agree with the loop
constexpr size_t kMaxLoops = 4;

// The chord that fills most of each beat; "" where none does.
std::vector<std::string> ChordPerBeat(const AudioFeatures& features, const BarGrid& bars) {
  std::vector<std::string> per_beat;
  size_t from = 0;
  for (size_t beat = 0; beat < bars.beats_s.size(); ++beat) {
    const double start_s = bars.beats_s[beat];
    const double end_s = beat + 1 < bars.beats_s.size() ? bars.beats_s[beat + 1] : 2 * start_s - bars.beats_s[beat - 1];
    while (from < features.chords.size() && features.chords[from].end_s <= start_s) ++from;
    double best_s = 0;
    std::string label;
    for (size_t i = from; i < features.chords.size() && features.chords[i].start_s < end_s; ++i) {
      const double shared_s = std::min(end_s, features.chords[i].end_s) - std::max(start_s, features.chords[i].start_s);
      if (shared_s > best_s) {
        best_s = shared_s;
        label = features.chords[i].label;
      }
    }
    per_beat.push_back(label == "N" ? "" : label);
  }
  return per_beat;
}

struct ChordLoop {
  size_t bars = 0;                 // length
  std::vector<size_t> first_bars;  // of each occurrence
  std::vector<std::string> beats;  // chord per beat
  double agreement = 0;            // mean over occurrences
  double covered = 0;              // bars
};

// The chord that most of the given loops have at each beat; ties go to the one that is first in the alphabet.
std::vector<std::string> VotePerBeat(const std::vector<std::string>& chords, const BarGrid& bars,
                                     const std::vector<size_t>& starts, size_t beats) {
  std::vector<std::string> voted;
  for (size_t beat = 0; beat < beats; ++beat) {
    std::map<std::string, int> votes;
    for (const size_t bar : starts) ++votes[chords[bars.first_beat[bar] + beat]];
    const auto most =
        std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    voted.push_back(most->first);
  }
  return voted;
}

size_t DistinctChords(const std::vector<std::string>& chords) {
  std::vector<std::string> names;
  for (const std::string& chord : chords) {
    if (!chord.empty() && std::find(names.begin(), names.end(), chord) == names.end()) names.push_back(chord);
  }
  return names.size();
}

// Loops of `length` bars that start at bars = `phase` modulo `length`, among the free ones.
ChordLoop LoopOf(const std::vector<std::string>& chords, const BarGrid& bars, const std::vector<bool>& taken,
                 size_t length, size_t phase) {
  ChordLoop loop;
  loop.bars = length;
  const size_t beats = length * static_cast<size_t>(bars.beats_per_bar);
  std::vector<size_t> starts;
  for (size_t bar = phase; bar + length <= bars.bars.size(); bar += length) {
    if (std::none_of(taken.begin() + static_cast<int64_t>(bar), taken.begin() + static_cast<int64_t>(bar + length),
                     [](bool t) { return t; })) {
      starts.push_back(bar);
    }
  }
  for (int round = 0; round < 2 && starts.size() >= 2; ++round) {
    loop.beats = VotePerBeat(chords, bars, round == 0 ? starts : loop.first_bars, beats);
    loop.first_bars.clear();
    loop.agreement = 0;
    for (const size_t bar : starts) {
      size_t agree = 0;
      for (size_t beat = 0; beat < beats; ++beat)
        agree += chords[bars.first_beat[bar] + beat] == loop.beats[beat] && !loop.beats[beat].empty();
      const double share = static_cast<double>(agree) / static_cast<double>(beats);
      if (share < kLoopAgreement) continue;
      loop.first_bars.push_back(bar);
      loop.agreement += share;
    }
    if (loop.first_bars.size() < 2) return {};
    loop.agreement /= static_cast<double>(loop.first_bars.size());
  }
  loop.covered = static_cast<double>(loop.first_bars.size() * length);
  return loop;
}

// The shortest loop that covers nearly as much, agreed nearly as well, as the best. A single held chord is a loop only
// where nothing else is.
ChordLoop BestLoop(const std::vector<std::string>& chords, const BarGrid& bars, const std::vector<bool>& taken) {
  ChordLoop chosen;
  double chosen_worth = 0;
  for (const size_t length : {1, 2, 3, 4, 6, 8, 12, 16}) {
    if (2 * length > bars.bars.size()) break;
    ChordLoop best;
    double worth = 0;
    for (size_t phase = 0; phase < length; ++phase) {
      ChordLoop loop = LoopOf(chords, bars, taken, length, phase);
      if (loop.first_bars.size() < 2) continue;
      const double here = loop.covered * loop.agreement * (DistinctChords(loop.beats) > 1 ? 1 : 0.5);
      if (here > worth * 1.001) {
        worth = here;
        best = std::move(loop);
      }
    }
    if (worth > chosen_worth * 1.2) {
      chosen_worth = worth;
      chosen = std::move(best);
    }
  }
  return chosen;
}

// The longest step, in beats, on which the loop's chords are constant.
size_t StepBeats(const std::vector<std::string>& beats) {
  for (size_t step = beats.size(); step > 1; --step) {
    if (beats.size() % step != 0) continue;
    bool constant = true;
    for (size_t beat = 0; beat < beats.size() && constant; ++beat) constant = beats[beat] == beats[beat - beat % step];
    if (constant) return step;
  }
  return 1;
}

double MeanChordConfidence(const AudioFeatures& features, const std::vector<TimeSpan>& spans) {
  double weighted = 0, total_s = 0;
  size_t from = 0;
  for (const TimeSpan& span : spans) {
    while (from < features.chords.size() && features.chords[from].end_s <= span.start_s) ++from;
    for (size_t i = from; i < features.chords.size() && features.chords[i].start_s < span.end_s; ++i) {
      const double shared_s =
          std::min(span.end_s, features.chords[i].end_s) - std::max(span.start_s, features.chords[i].start_s);
      weighted += shared_s * std::clamp(features.chords[i].confidence, 0.0, 1.0);
      total_s += shared_s;
    }
  }
  return total_s > 0 ? weighted / total_s : 0;
}

AudioPattern DescribeLoop(const AudioFeatures& features, const BarGrid& bars, const ChordLoop& loop) {
  AudioPattern pattern;
  pattern.kind = PatternKind::kHarmonic;
  pattern.tempo_bpm = features.tempo_bpm;
  pattern.meter = bars.beats_per_bar;
  pattern.key = features.key.value_or("");
  const size_t step = StepBeats(loop.beats);
  pattern.chord_beats = static_cast<double>(step);
  std::vector<std::string> spoken;
  for (size_t beat = 0; beat < loop.beats.size(); beat += step) {
    pattern.chords.push_back(loop.beats[beat].empty() ? "N" : loop.beats[beat]);
    if (spoken.empty() || spoken.back() != pattern.chords.back()) spoken.push_back(pattern.chords.back());
  }
  for (const size_t bar : loop.first_bars) pattern.spans.push_back(bars.Span(bar, loop.bars));
  const double coverage = loop.covered / static_cast<double>(bars.bars.size());
  const double confidence = MeanChordConfidence(features, pattern.spans);
  pattern.strength = std::clamp(loop.agreement * (0.4 + 0.6 * coverage) * (0.5 + 0.5 * confidence), 0.0, 1.0);
  pattern.embedding = HarmonicEmbedding(pattern.chords);
  pattern.description =
      Formatted("%d-bar loop %s, %s", loop.bars, Join(spoken, " "), Times(loop.first_bars.size()));
  pattern.evidence = {
      {"chord_loop_length", static_cast<double>(loop.bars),
       Formatted("the chords return every %d bars", loop.bars)},
      {"agreement", loop.agreement,
       Formatted("%.0f %% of its beats have the loop's chord", 100 * loop.agreement)},
      {"coverage", coverage, Formatted("it fills %.0f %% of the bars", 100 * coverage)},
      {"chord_confidence", confidence, Formatted("the chords were heard with confidence %.2f", confidence)}};
  return pattern;
}

}  // namespace

void FindHarmonic(const AudioFeatures& features, const BarGrid& bars, std::vector<AudioPattern>& found) {
  if (bars.bars.size() < 2 || features.chords.empty()) return;
  const std::vector<std::string> chords = ChordPerBeat(features, bars);
  std::vector<bool> taken(bars.bars.size(), false);
  for (size_t round = 0; round < kMaxLoops; ++round) {
    const ChordLoop loop = BestLoop(chords, bars, taken);
    if (loop.first_bars.size() < 2) return;
    found.push_back(DescribeLoop(features, bars, loop));
    for (const size_t bar : loop.first_bars) std::fill_n(taken.begin() + static_cast<int64_t>(bar), loop.bars, true);
  }
}

}  // namespace grym
