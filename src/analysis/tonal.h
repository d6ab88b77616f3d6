// Tuning, chroma, key and chords, from spectral peaks.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/tonal_stream.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/job.h"

namespace grym {

using Chroma = std::array<float, 12>;  // C first

// The sum of the peaks' distances from equal temperament, as a vector on the circle. Allocates nothing.
class TuningMeter {
 public:
  void Add(std::span<const TonalPeak> peaks);
  double a4_hz() const;  // see EstimateTuning

 private:
  double x_ = 0, y_ = 0, total_ = 0;
};

// A4 in Hz within half a semitone of 440, the circular mean of the peaks' distance from equal temperament; 440 when
// the peaks agree on nothing.
double EstimateTuning(const TonalFrames& frames);

struct ChromaFrames {
  double rate_hz = 0;
  std::vector<Chroma> treble;  // harmonics suppressed
  std::vector<Chroma> bass;    // below C4
  std::vector<float> level;    // energy of the peaks
};
// One frame of it. Allocates nothing.
class ChromaFolder {
 public:
  void Fold(std::span<const TonalPeak> peaks, double tuning_hz);
  const Chroma& treble() const { return treble_; }
  const Chroma& bass() const { return bass_; }

 private:
  struct Note {
    double midi;
    double gain;
  };
  void SuppressHarmonics();
  std::array<Note, TonalStream::kMostPeaks> notes_;
  size_t count_ = 0;
  Chroma treble_{}, bass_{};
};

// Cancelled: soon, with what it has; the caller looks at the token.
ChromaFrames ComputeChroma(const TonalFrames& frames, double tuning_hz, const CancelToken& cancel = {});

struct KeyEstimate {
  std::optional<std::string> key;
  double confidence = 0;
};
KeyEstimate EstimateKey(const ChromaFrames& chroma);

// What else is known of a recording when its chords are read; all of it may be empty.
struct ChordContext {
  std::span<const double> beats_s, downbeats_s;
  KeyEstimate key;
};
// Chords over the whole length, "N" where there is none.
std::vector<Chord> RecogniseChords(const ChromaFrames& chroma, const ChordContext& context, double duration_s);

}  // namespace grym
