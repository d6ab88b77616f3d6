#include <algorithm>
#include <cmath>
#include <numbers>

#include "analysis/tonal.h"
#include "dsp/decibels.h"

namespace grym {
namespace {

constexpr double kTrebleLowMidi = 45, kTrebleHighMidi = 100, kBassHighMidi = 57;
// Harmonic h of a note lies this many semitones above it.
constexpr std::array<double, 8> kHarmonicSemitones = {0, 12, 19.01955, 24, 27.86314, 31.01955, 33.68826, 36};

struct Note {
  double midi;
  double gain;
};

// Every peak that stands at a harmonic of a stronger, lower peak counts less: what is left speaks for notes rather
// than timbre. Source: the idea of Gómez 2006 (harmonic weighting), turned from adding to suppressing.
void SuppressHarmonics(std::vector<Note>& notes) {
  for (size_t i = 0; i < notes.size(); ++i) {
    for (size_t j = i + 1; j < notes.size(); ++j) {
      const double interval = notes[j].midi - notes[i].midi;
      if (interval > 37) break;
      if (notes[j].gain > 1.5 * notes[i].gain) continue;
      for (size_t h = 1; h < kHarmonicSemitones.size(); ++h) {
        if (std::abs(interval - kHarmonicSemitones[h]) > 0.35) continue;
        const double expected = notes[i].gain * std::pow(0.8, static_cast<double>(h));
        notes[j].gain = std::max(0.15 * notes[j].gain, notes[j].gain - 0.8 * expected);
      }
    }
  }
}

void AddTo(Chroma& chroma, double midi, double weight) {
  const double position = midi - 12 * std::floor(midi / 12);
  const int nearest = static_cast<int>(std::lround(position));
  const double distance = std::abs(position - nearest);
  const double share = std::cos(std::numbers::pi * distance);  // 1 in tune, 0 between two notes
  chroma[nearest % 12] += static_cast<float>(weight * share * share);
}

}  // namespace

double EstimateTuning(const TonalFrames& frames) {
  double x = 0, y = 0, total = 0;
  for (int64_t i = 0; i < frames.frames(); ++i) {
    for (const TonalPeak& peak : frames.of(i)) {
      const double midi = peak.midi();
      if (midi < 45 || midi > 93) continue;  // 110 Hz to 1.76 kHz: below, bins are coarse; above, strings are stiff
      const double weight = peak.gain(), angle = 2 * std::numbers::pi * midi;
      x += weight * std::cos(angle);
      y += weight * std::sin(angle);
      total += weight;
    }
  }
  // Evenly spread deviations (speech, drums, noise) leave a short resultant.
  if (total <= 0 || std::hypot(x, y) < 0.15 * total) return 440;
  return 440 * std::exp2(std::atan2(y, x) / (2 * std::numbers::pi) / 12);
}

ChromaFrames ComputeChroma(const TonalFrames& frames, double tuning_hz, const CancelToken& cancel) {
  ChromaFrames result;
  result.rate_hz = frames.rate_hz;
  const double shift = 12 * std::log2(tuning_hz / 440);
  std::vector<Note> notes;
  for (int64_t i = 0; i < frames.frames(); ++i) {
    if (i % 1024 == 0 && cancel.cancelled()) break;
    notes.clear();
    for (const TonalPeak& peak : frames.of(i)) {
      // Square root of the amplitude: between loudness and level, so that the loudest voice does not speak alone.
      notes.push_back({peak.midi() - shift, std::sqrt(peak.gain())});
    }
    SuppressHarmonics(notes);
    Chroma treble{}, bass{};
    for (const Note& note : notes) {
      if (note.midi < kBassHighMidi) AddTo(bass, note.midi, note.gain);
      if (note.midi >= kTrebleLowMidi && note.midi < kTrebleHighMidi) AddTo(treble, note.midi, note.gain);
    }
    result.treble.push_back(treble);
    result.bass.push_back(bass);
    result.level.push_back(frames.level[i]);
  }
  return result;
}

}  // namespace grym
