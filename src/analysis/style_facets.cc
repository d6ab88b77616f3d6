#include "analysis/style_facets.h"

#include <algorithm>
#include <cmath>

#include "dsp/decibels.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

double BandShareDb(const AudioFeatures& f, int first, int last) {
  double sum = 0;
  for (int band = first; band <= last; ++band) sum += PowerOfDb(f.spectral.band_energy_db[band]);
  return std::max(-60.0, DbOfPower(sum));
}

double SilentSeconds(const AudioFeatures& f) {
  double sum = 0;
  for (const TimeSpan& span : f.condition.silence) sum += span.end_s - span.start_s;
  return sum;
}

void MeasureVoice(const AudioFeatures& f, double& voiced, double& glide) {
  std::vector<double> steps;
  int64_t clear = 0;
  for (size_t i = 0; i < f.pitch.f0_hz.size(); ++i) {
    if (f.pitch.f0_hz[i] <= 0) continue;
    clear += f.pitch.confidence[i] > 0.5f;
    if (i > 0 && f.pitch.f0_hz[i - 1] > 0) {
      const double seconds = f.pitch.times_s[i] - f.pitch.times_s[i - 1];
      steps.push_back(std::min(100.0, std::abs(12 * std::log2(f.pitch.f0_hz[i] / f.pitch.f0_hz[i - 1])) / seconds));
    }
  }
  voiced = f.pitch.f0_hz.empty() ? 0 : static_cast<double>(clear) / static_cast<double>(f.pitch.f0_hz.size());
  glide = Median(steps);
}

// Pitch in stretches of frames that have one.
struct Stretches {
  int count = 0;
  double typical_s = 0;  // median length
  double resting = 0;    // share of moments at which the pitch stays within 0.3 semitones for 90 ms
};

Stretches MeasureStretches(const Pitch& pitch) {
  constexpr double kShortest_s = 0.06, kMoment_s = 0.09, kAtRest = 0.3;  // semitones
  constexpr float kClear = 0.3f;
  Stretches stretches;
  const size_t frames = pitch.f0_hz.size();
  if (frames < 2) return stretches;
  const double hop_s = pitch.times_s[1] - pitch.times_s[0];
  const auto moment = static_cast<size_t>(std::max(1.0, std::round(kMoment_s / hop_s)));
  const double most = std::exp2(kAtRest / 12);
  std::vector<double> lengths_s;
  int64_t moments = 0, resting = 0;
  for (size_t first = 0; first < frames;) {
    size_t end = first;
    while (end < frames && pitch.f0_hz[end] > 0 && pitch.confidence[end] >= kClear) ++end;
    if (static_cast<double>(end - first) * hop_s > kShortest_s)
      lengths_s.push_back(static_cast<double>(end - first) * hop_s);
    for (size_t i = first; i + moment < end; ++i) {
      const auto [low, high] = std::minmax_element(pitch.f0_hz.begin() + static_cast<std::ptrdiff_t>(i),
                                                   pitch.f0_hz.begin() + static_cast<std::ptrdiff_t>(i + moment + 1));
      if (*high >= 2 * *low) continue;  // another octave, or another note
      ++moments;
      resting += *high < most * *low;
    }
    first = end + 1;
  }
  stretches.count = static_cast<int>(lengths_s.size());
  stretches.typical_s = Median(lengths_s);
  stretches.resting = moments > 0 ? static_cast<double>(resting) / static_cast<double>(moments) : 1;
  return stretches;
}

// Notes rest on their pitch, or are held longer than a syllable where a voice shakes them; a talking voice glides all
// the time, a fifth of a second on end, to no beat. Measured: speech by formants at rest for 0.31 to 0.48 of its
// moments, in stretches of 0.13 to 0.17 s, but for a monotone (0.84); music of the shared set for 0.74 and more, sung
// vibrato for 0.0, in stretches of 0.34 s and more.
double MeasureTalking(const AudioFeatures& f) {
  constexpr int kFewest = 8;
  const Stretches stretches = MeasureStretches(f.pitch);
  if (stretches.count < kFewest) return 0;
  const auto below = [](double value, double full, double none) {
    return std::clamp((none - value) / (none - full), 0.0, 1.0);
  };
  return below(stretches.resting, 0.55, 0.7) * below(stretches.typical_s, 0.22, 0.32) *
         below(f.tempo_confidence, 0.15, 0.3);
}

// Where the strongest onset between two beats lies, as a share of the beat, over beats that have one in the middle.
double MeasureSwing(const AudioFeatures& f) {
  std::vector<double> places;
  size_t onset = 0;
  for (size_t b = 0; b + 1 < f.beats_s.size(); ++b) {
    const double start = f.beats_s[b], length = f.beats_s[b + 1] - start;
    while (onset < f.onsets_s.size() && f.onsets_s[onset] < start + 0.35 * length) ++onset;
    if (onset < f.onsets_s.size() && f.onsets_s[onset] < start + 0.8 * length)
      places.push_back((f.onsets_s[onset] - start) / length);
  }
  return places.size() >= 6 ? Median(places) : 0.5;
}

double MeasureOffbeat(const AudioFeatures& f) {
  const FrameSeries& strength = f.onset_strength;
  const auto peak_at = [&](double time) {
    float peak = 0;
    const int64_t centre = std::lround(time * strength.rate_hz);
    for (int64_t i = centre - 6; i <= centre + 6; ++i) {
      if (i >= 0 && i < strength.frames()) peak = std::max(peak, strength.values[i]);
    }
    return static_cast<double>(peak);
  };
  double on = 0, off = 0;
  for (size_t b = 0; b + 1 < f.beats_s.size(); ++b) {
    on += peak_at(f.beats_s[b]);
    off += peak_at(0.5 * (f.beats_s[b] + f.beats_s[b + 1]));
  }
  return on > 0 ? std::min(2.0, off / on) : 0.5;
}

void MeasureHarmony(const AudioFeatures& f, double& changes, double& sevenths) {
  double tonal_s = 0, seventh_s = 0;
  int count = 0;
  for (const Chord& chord : f.chords) {
    if (chord.label == "N") continue;
    ++count;
    tonal_s += chord.end_s - chord.start_s;
    if (chord.label.back() == '7') seventh_s += chord.end_s - chord.start_s;
  }
  changes = tonal_s > 0 ? 60 * count / tonal_s : 0;
  sevenths = tonal_s > 0 ? seventh_s / tonal_s : 0;
}

}  // namespace

Facets MeasureFacets(const AudioFeatures& f) {
  Facets facets{};
  const auto set = [&](Facet facet, double value) { facets[static_cast<size_t>(facet)] = value; };
  const double silent_s = SilentSeconds(f), sounding_s = std::max(0.1, f.duration_s - silent_s);
  double voiced = 0, glide = 0, changes = 0, sevenths = 0;
  MeasureVoice(f, voiced, glide);
  MeasureHarmony(f, changes, sevenths);
  set(Facet::kTempo, f.tempo_bpm);
  set(Facet::kPulse, f.tempo_confidence);
  set(Facet::kOnsets, static_cast<double>(f.onsets_s.size()) / sounding_s);
  set(Facet::kFlatness, std::log10(std::max(1e-6, f.spectral.mean_flatness)));
  set(Facet::kCentroid, std::log2(std::max(20.0, f.spectral.mean_centroid_hz) / 1000));
  set(Facet::kBass, BandShareDb(f, 0, 2));
  set(Facet::kTreble, BandShareDb(f, 8, 9));
  set(Facet::kCrest, f.level.crest_db);
  set(Facet::kRange, f.loudness.range_lu);
  set(Facet::kVoiced, voiced * f.duration_s / sounding_s);
  set(Facet::kGlide, glide);
  set(Facet::kTalking, MeasureTalking(f));
  set(Facet::kKey, f.key_confidence);
  set(Facet::kMinor, !f.key ? 0.5 : ParseKey(*f.key).value_or(0) >= 12 ? 1.0 : 0.0);
  set(Facet::kHarmonyRate, changes);
  set(Facet::kSevenths, sevenths);
  set(Facet::kTriple, f.meter == 3 ? 1.0 : f.meter == 4 ? 0.0 : 0.3);
  set(Facet::kSwing, MeasureSwing(f));
  set(Facet::kOffbeat, MeasureOffbeat(f));
  const double mean_strength = Mean(std::span<const float>(f.onset_strength.values));
  set(Facet::kAttack,
      mean_strength > 0 ? std::min(30.0, Percentile(f.onset_strength.values, 0.98) / mean_strength) : 0);
  set(Facet::kSilent, f.duration_s > 0 ? silent_s / f.duration_s : 1);
  set(Facet::kWidth, f.condition.stereo_width);
  return facets;
}

}  // namespace grym
