// What is measured of one take, on its own: its condition, and the pictures that two takes are compared by.
#pragma once
#include <array>
#include <vector>

#include "absl/status/statusor.h"
#include "analysis/enhance/balance.h"
#include "analysis/enhance/dynamics.h"
#include "analysis/enhance/hum.h"
#include "analysis/enhance/noise.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/job.h"

namespace grym {

// Compressed energies in sixths of an octave from 60 Hz to 7 kHz, 50 frames a second.
// log10(1 + 1e4 * power / loud power): about 40 dB of range, so what lies below counts little.
struct BandPicture {
  static constexpr int kBands = 41;
  double rate_hz = 0;
  std::vector<float> values;  // [frames, kBands]
  int64_t frames() const { return static_cast<int64_t>(values.size()) / kBands; }
  const float* frame(int64_t i) const { return values.data() + i * kBands; }
};

struct TakeMeasures {
  double duration_s = 0;
  int channels = 0;
  bool silent = true;
  double lufs = 0, true_peak_dbtp = 0, peak_dbfs = 0, rms_dbfs = 0, crest_db = 0;
  double offset = 0;              // largest constant offset of a channel, with its sign
  double clipped_ratio = 0;       // [0, 1]
  std::vector<TimeSpan> clipping; // merged within 0.5 s
  NoiseFacts noise;
  HumFacts hum;
  LongTermSpectrum spectrum;
  StereoFacts stereo;
  BandPicture bands;
  std::vector<float> fine;        // long-term log spectrum at 5 cents from 80 Hz, its slow part taken away
};

inline constexpr double kFineStepCents = 5;

absl::StatusOr<TakeMeasures> MeasureTake(const AudioBuffer& audio, const RunOptions& run = {});

}  // namespace grym
