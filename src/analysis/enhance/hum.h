// Mains hum: found as a steady series of lines, removed by subtracting what was measured of each.
#pragma once
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

struct HumFacts {
  double fundamental_hz = 0;        // mean; 0 when there is no hum
  double drift_hz = 0;              // of the fundamental over time, without its outermost tenths
  double level_dbfs = 0;            // RMS of all lines together
  double above_floor_db = 0;        // of the strongest line, over its surroundings
  std::vector<int> harmonics;       // which multiples are there
  std::vector<double> fundamental;  // over time, one value per `step_s`
  double step_s = 0;
};

// Lines at multiples of 50 or 60 Hz (each within 1 %), up to 1.2 kHz. A line counts when it stands 10 dB above its
// surroundings in at least 70 % of the windows of up to 4 s, at a level that does not move; hum is at least two such
// lines among the first six multiples, or a fundamental 25 dB above. Music's notes do not hold still that long at those
// frequencies. Below 3 s nothing is found.
absl::StatusOr<HumFacts> FindHum(const AudioBuffer& audio, const RunOptions& run = {});

// Each line is brought to 0 Hz along the measured drift, averaged over some seconds with little weight on moments where
// music covers it, and subtracted. So only +-0.5 Hz around a line is touched. A constant offset goes as well.
// change_db: how far the lines' level fell.
absl::StatusOr<EnhanceStage> RemoveHum(AudioBuffer& audio, double amount, const RunOptions& run = {});

}  // namespace grym
