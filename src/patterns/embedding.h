// The 128 numbers that make patterns comparable, kind by kind.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "grymsynth/audio_features.h"
#include "grymsynth/pattern.h"

namespace grym {

// Blocks one after the other, each brought to unit length and weighted, so that the cosine of two embeddings is the
// weighted mean of their blocks' cosines. What is not filled stays 0.
class EmbeddingWriter {
 public:
  // `weight` is the block's share of the whole. A block without length stays 0. At most 128 numbers in all.
  void Add(std::span<const double> block, double weight);
  // Unit length; the first axis when every block was 0.
  PatternEmbedding Finish() const;

 private:
  PatternEmbedding values_{};
  size_t used_ = 0;
};

// Layouts [offset, length: content, weight]. Each is unchanged by what the kind does not care about.
//
// Rhythmic, free of tempo and level:
//   [0, 64: autocorrelation of the onset strength at lags of 1/8 .. 8 beats, 0.4]
//   [64, 32: onset grid of two bars, mean removed, 0.4] [96, 17: magnitude of its Fourier transform (free of where
//   the bar starts), 0.2]
// `beat_onsets`: onset strength at 8 points a beat.
PatternEmbedding RhythmicEmbedding(std::span<const double> beat_onsets, std::span<const float> onset_grid);

// Harmonic, free of key and of where the loop starts:
//   [0, 112: magnitude of the 2-D Fourier transform of pitch class x 16 steps, 7 pitch frequencies x 16, 0.7. Source:
//   Bertin-Mahieux and Ellis 2012, "Large-scale cover song recognition using the 2D Fourier transform magnitude"; here
//   over chord templates instead of chroma, so that the instrument does not matter]
//   [112, 12: steps between roots, 0.2] [124, 4: major, minor, seventh, other, 0.1]
PatternEmbedding HarmonicEmbedding(std::span<const std::string> chords);

// Melodic, free of key and tempo:
//   [0, 25: intervals -12 .. 12, 0.3] [25, 32: contour over time, mean removed, 0.3] [57, 16: log2 ratio of following
//   durations, 0.15] [73, 49: pairs of interval classes, 0.25]
PatternEmbedding MelodicEmbedding(std::span<const int> intervals, std::span<const double> durations_beats);

// Timbral, free of level: values less those of typical music, in their typical deviations, so that signs differ.
//   [0, 19: mean of MFCC 1 .. 19, 0.5] [19, 19: their deviation, 0.2] [38, 7: spectral contrast, 0.15]
//   [45, 4: centroid, bandwidth, rolloff, flatness, 0.15]
PatternEmbedding TimbralEmbedding(const SpectralFeatures& spectral, std::span<const TimeSpan> spans);

// Structural, free of key:
//   [0, 56: 2-D Fourier magnitude of chroma x 16 steps, 7 x 8, 0.4] [56, 38: as timbral, mean and deviation, 0.4]
//   [94, 4: share of the piece, place of the first occurrence, occurrences, onset rate, 0.2]
PatternEmbedding StructuralEmbedding(const AudioFeatures& features, std::span<const TimeSpan> spans);

// Pitch classes of "Am", "G7", "Dm7", "Fmaj7", "Bdim", ...; empty for "N" and what is no chord.
struct HeardChord {
  int root = 0;
  int quality = 0;  // 0 major, 1 minor, 2 with a minor seventh, 3 other
  std::vector<int> pitch_classes;
};
HeardChord ParseChord(std::string_view label);

}  // namespace grym
