// The long-term spectrum: brought towards a slope, or towards another recording's.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

struct LongTermSpectrum {
  std::vector<double> centre_hz;     // third octaves from 50 Hz to 0.45 of the rate, at most 16 kHz
  std::vector<double> density_db;    // mean power per Hz
  std::array<double, 10> octave_db{};  // bands centred 31.5 Hz .. 16 kHz, relative to the whole; -120 where empty
  double slope_db_per_octave = 0;    // straight line through the densities from 100 Hz to 10 kHz, least squares
  bool silent = true;
};

// How far each octave lies above where commercial recordings have it, in dB, the mean of 63 Hz .. 8 kHz taken away; 0
// for the outer two. Usual is a fall of about 5 dB per octave and Hz between 100 Hz and 4 kHz (2 dB from octave to
// octave), steeper above, and an end below 60 Hz. Source: Pestana, Ma, Reiss, Barbosa and Black 2013, "Spectral
// characteristics of popular commercial recordings 1950-2010".
std::array<double, 10> AwayFromUsualDb(const LongTermSpectrum& spectrum);

absl::StatusOr<LongTermSpectrum> MeasureLongTermSpectrum(const AudioBuffer& audio, const RunOptions& run = {});

// Half of what the slope misses beyond 1.5 dB per octave, as a tilt around 1 kHz; or, with `match`, what each octave
// misses. Never more than 6 dB, times `amount`, by a linear-phase filter. change_db: the largest gain or cut.
absl::StatusOr<EnhanceStage> Balance(AudioBuffer& audio, double target_slope_db_per_octave,
                                     const std::optional<std::array<double, 10>>& match, double amount,
                                     const RunOptions& run = {});

// Zero-delay linear-phase filter: `gain_db[i]` at `centre_hz[i]` (rising), straight in dB over log frequency between,
// held beyond. Overlap-add.
absl::Status FilterLinearPhase(AudioBuffer& audio, const std::vector<double>& centre_hz,
                               const std::vector<double>& gain_db, const RunOptions& run = {});

}  // namespace grym
