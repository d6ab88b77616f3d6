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
// How strong it is expected to be, next to the note: 0.8^h.
constexpr std::array<double, 8> kHarmonicGains = {1, 0.8, 0.64, 0.512, 0.4096, 0.32768, 0.262144, 0.2097152};

// The harmonic within 0.35 semitones of an interval in [0, 37], 0 for none: all lie more than 0.7 apart.
size_t HarmonicAt(double interval) {
  static constexpr std::array<unsigned char, 38> kNear = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
                                                          2, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 5, 0, 6, 6, 0, 7, 0};
  const size_t harmonic = kNear[static_cast<size_t>(interval + 0.5)];
  return harmonic > 0 && std::abs(interval - kHarmonicSemitones[harmonic]) <= 0.35 ? harmonic : 0;
}

void AddTo(Chroma& chroma, double midi, double weight) {
  const double position = midi - 12 * std::floor(midi / 12);
  const int nearest = static_cast<int>(std::lround(position));
  const double distance = std::abs(position - nearest);
  const double share = std::cos(std::numbers::pi * distance);  // 1 in tune, 0 between two notes
  chroma[nearest % 12] += static_cast<float>(weight * share * share);
}

}  // namespace

void TuningMeter::Add(std::span<const TonalPeak> peaks) {
  for (const TonalPeak& peak : peaks) {
    const double midi = peak.midi();
    if (midi < 45 || midi > 93) continue;  // 110 Hz to 1.76 kHz: below, bins are coarse; above, strings are stiff
    const double weight = peak.gain(), angle = 2 * std::numbers::pi * midi;
    x_ += weight * std::cos(angle);
    y_ += weight * std::sin(angle);
    total_ += weight;
  }
}

double TuningMeter::a4_hz() const {
  // Evenly spread deviations (speech, drums, noise) leave a short resultant.
  if (total_ <= 0 || std::hypot(x_, y_) < 0.15 * total_) return 440;
  return 440 * std::exp2(std::atan2(y_, x_) / (2 * std::numbers::pi) / 12);
}

double EstimateTuning(const TonalFrames& frames) {
  TuningMeter meter;
  for (int64_t i = 0; i < frames.frames(); ++i) meter.Add(frames.of(i));
  return meter.a4_hz();
}

// Every peak that stands at a harmonic of a stronger, lower peak counts less: what is left speaks for notes rather
// than timbre. Source: the idea of Gómez 2006 (harmonic weighting), turned from adding to suppressing.
void ChromaFolder::SuppressHarmonics() {
  for (size_t i = 0; i < count_; ++i) {
    for (size_t j = i + 1; j < count_; ++j) {
      const double interval = notes_[j].midi - notes_[i].midi;
      if (interval > 37) break;
      const size_t h = HarmonicAt(interval);
      if (h == 0 || notes_[j].gain > 1.5 * notes_[i].gain) continue;
      const double expected = notes_[i].gain * kHarmonicGains[h];
      notes_[j].gain = std::max(0.15 * notes_[j].gain, notes_[j].gain - 0.8 * expected);
    }
  }
}

void ChromaFolder::Fold(std::span<const TonalPeak> peaks, double tuning_hz) {
  const double shift = 12 * std::log2(tuning_hz / 440);
  count_ = peaks.size();
  for (size_t i = 0; i < count_; ++i) {
    // Square root of the amplitude: between loudness and level, so that the loudest voice does not speak alone.
    notes_[i] = {peaks[i].midi() - shift, std::sqrt(peaks[i].gain())};
  }
  SuppressHarmonics();
  treble_ = bass_ = {};
  for (size_t i = 0; i < count_; ++i) {
    const Note& note = notes_[i];
    if (note.midi < kBassHighMidi) AddTo(bass_, note.midi, note.gain);
    if (note.midi >= kTrebleLowMidi && note.midi < kTrebleHighMidi) AddTo(treble_, note.midi, note.gain);
  }
}

ChromaFrames ComputeChroma(const TonalFrames& frames, double tuning_hz, const CancelToken& cancel) {
  ChromaFrames result;
  result.rate_hz = frames.rate_hz;
  ChromaFolder folder;
  for (int64_t i = 0; i < frames.frames(); ++i) {
    if (i % 1024 == 0 && cancel.cancelled()) break;
    folder.Fold(frames.of(i), tuning_hz);
    result.treble.push_back(folder.treble());
    result.bass.push_back(folder.bass());
    result.level.push_back(frames.level[i]);
  }
  return result;
}

}  // namespace grym
