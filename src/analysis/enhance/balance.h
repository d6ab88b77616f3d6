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

absl::StatusOr<LongTermSpectrum> MeasureLongTermSpectrum(const AudioBuffer& audio, const RunOptions& run = {});

// Half of what the slope misses beyond 1.5 dB per octave, as a tilt around 1 kHz; or, with `match`, what each octave
// misses. Never more than 6 dB, times `amount`, by a linear-phase filter. change_db: the largest gain or cut.
absl::StatusOr<EnhanceStage> Balance(AudioBuffer& audio, double target_slope_db_per_octave,
                                     const std::optional<std::array<double, 10>>& match, double amount,
                                     const RunOptions& run = {});

// Zero-delay linear-phase filter: `gain_db[i]` at `centre_hz[i]` (rising), straight in dB over log frequency between,
// held beyond. Overlap-add.
absl::Status FilterLinearPhase(AudioBuffer& audio, const std::vector<double>& centre_hz, const std::vector<double>& gain_db,
                               const RunOptions& run = {});

}  // namespace grym
