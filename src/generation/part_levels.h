// How loud parts may be under a recording, and where: levels over time, and room in each octave band.
#pragma once
#include <array>
#include <vector>

#include "analysis/enhance/balance.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/job.h"

namespace grym {

inline constexpr double kKeptBandDb = 3.0;    // see enhanced_take.h
inline constexpr double kHeardBandDb = 30.0;

// The largest change of an octave band that is heard, in dB, each relative to its whole.
double WorstBandDb(const LongTermSpectrum& before, const LongTermSpectrum& after);

// Mean square of all channels, in dB.
double MeanSquareDb(const AudioBuffer& audio);

// One gain for all parts and a cut for each octave band.
struct PartFit {
  double gain_db = 0;
  std::array<double, 10> cut_db{};  // <= 0, bands centred 31.5 Hz .. 16 kHz
};

// Fits the sum of the parts under a recording: in every octave band it stays `under_db` below the recording, or
// kHeardBandDb below the recording's strongest band where the recording holds less than that. What would pass is cut in
// that band alone, as a mixing engineer carves room, and the gain rises (by at most 9 dB) until the parts are as loud
// as `wanted_db` had made them uncut, as far as the other bands have room.
PartFit FitUnder(const LongTermSpectrum& recording, double recording_db, const LongTermSpectrum& parts, double parts_db,
                 double wanted_db, double under_db);

// Cuts by linear-phase filter; the gain is left to the caller.
absl::Status CutBands(const PartFit& fit, AudioBuffer* audio, const RunOptions& run = {});

// Gain per frame that lets parts follow the recording: 1 where it is at most 3 LU softer than on the whole, less where
// it is softer, so that its pauses stay pauses. From the momentary loudness, smoothed over a second.
std::vector<float> FollowGain(const AudioFeatures& features, int64_t frames, int rate_hz);

// Sample i of every channel times gain[i].
void ScaleBy(const std::vector<float>& gain, AudioBuffer* audio);

// Adds `from` times `gain`; frames beyond the shorter are left alone.
void AddTimes(const AudioBuffer& from, float gain, AudioBuffer* to);

}  // namespace grym
