// What a rule about style may ask of a recording.
#pragma once
#include <array>

#include "grymsynth/audio_features.h"

namespace grym {

enum class Facet {
  kTempo,          // bpm, 0 when unsure
  kPulse,          // confidence of the tempo
  kOnsets,         // per second of sound
  kFlatness,       // log10 of the mean spectral flatness, noise near -1
  kCentroid,       // octaves above 1 kHz
  kBass,           // dB below 180 Hz relative to the whole
  kTreble,         // dB above 5.6 kHz relative to the whole
  kCrest,          // dB
  kRange,          // loudness range, LU
  kVoiced,         // share of frames with one clear pitch
  kGlide,          // semitones a second the pitch moves while voiced, median
  kTalking,        // [0, 1]: moves like a voice that talks
  kKey,            // confidence of the key
  kMinor,          // 1 minor, 0 major, 0.5 unknown
  kHarmonyRate,    // chord changes a minute
  kSevenths,       // share of time in seventh chords
  kTriple,         // 1 when bars count three, 0 four, 0.3 unknown
  kSwing,          // where the off-beat falls between beats: 0.5 straight, 0.67 swung; 0.5 unknown
  kOffbeat,        // onset strength half-way between beats relative to on them
  kAttack,         // sharpness of onsets: 98th percentile over mean of onset strength
  kSilent,         // share of time below -60 dBFS
  kWidth,          // stereo side to mid
  kCount
};
using Facets = std::array<double, static_cast<size_t>(Facet::kCount)>;

Facets MeasureFacets(const AudioFeatures& features);

}  // namespace grym
