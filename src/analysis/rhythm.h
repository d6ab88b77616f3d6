// Onsets, tempo, beats, bars: from onset strength and chroma.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "analysis/spectral_stream.h"
#include "analysis/tonal.h"

namespace grym {

// Times where a note or stroke begins, to a few milliseconds.
std::vector<double> PickOnsets(const OnsetSeries& onsets);

// Onset strength as the beat tracker sees it: half the rate, local mean taken off, in [0, 1].
struct BeatCurve {
  double rate_hz = 0;
  std::vector<float> values;
};
// A rise of onset strength that is no stroke. Measured: the partials of held chords beat with rises to 1.2, vibrato of
// 80 cents to 2.7; the softest notes that a bow or a breath begins lie from 5 upwards, struck ones above 10.
inline constexpr float kFaintRise = 2.5f;
// `floor` is taken off every rise. Where a beat lies is told by all of them, whether there is one by strokes alone.
BeatCurve BeatActivation(const OnsetSeries& onsets, float floor = 0);

// The beat, its halves and its quarters, and how much each speaks for it in a spectrum of onsets.
inline constexpr std::pair<int, double> kBeatLevels[] = {{1, 1.0}, {2, 1.0}, {4, 0.5}};

struct TempoEstimate {
  double bpm = 0;      // most likely beat; 0 when there is nothing to hear
  double rivalry = 0;  // how loud the best of half, double, a third more, ... speaks beside it, [0, 1]
};
TempoEstimate EstimateTempo(const BeatCurve& activation);

// The steady clock nearest to a coarse tempo, exact to about 0.1 % in 20 s.
struct SteadyTempo {
  double bpm = 0;
  // How far the strokes stand out of strokes at random times, in their standard deviations: random ones hardly pass 7.3
  // and never passed 7.7, noise 4, steady music lies from 8 upwards, and a changing tempo is low too.
  double significance = 0;
  bool agreed = false;  // three of four minutes have it
};
SteadyTempo MeasureSteadyTempo(const BeatCurve& activation, double bpm);

inline constexpr double kChangingRange = 1.35;
// Times of the beats at about `bpm`, following changes within a factor of `range`. A beat that falls on an onset takes
// its time.
std::vector<double> TrackBeats(const BeatCurve& activation, double bpm, std::span<const double> onsets_s,
                               double range = kChangingRange, const CancelToken& cancel = {});

struct Rhythm {
  double tempo_bpm = 0;
  double tempo_confidence = 0;
  std::vector<double> beats_s;
  std::vector<double> downbeats_s;
  int meter = 0;
  double meter_confidence = 0;
};
// All of it; empty beats and tempo 0 where no steady beat is heard.
// Cancelled: soon, with what it has; the caller looks at the token.
Rhythm FindRhythm(const OnsetSeries& onsets, std::span<const double> onsets_s, const ChromaFrames& chroma,
                  double duration_s, const CancelToken& cancel = {});

// Bars over beats: fills downbeats, meter and its confidence.
void FindBars(const OnsetSeries& onsets, const ChromaFrames& chroma, Rhythm& rhythm);

}  // namespace grym
