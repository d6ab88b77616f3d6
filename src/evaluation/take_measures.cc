#include "evaluation/take_measures.h"

#include <algorithm>
#include <cmath>

#include "analysis/enhance/clip_detect.h"
#include "analysis/enhance/loudness_gain.h"
#include "analysis/true_peak.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"
#include "dsp/window.h"
#include "analysis/enhance/flat_tops.h"
#include "evaluation/pictures.h"

namespace grym {
namespace {

constexpr double kMergeClippingS = 0.5;

void MeasureLevels(const AudioBuffer& audio, TakeMeasures& take) {
  double squares = 0, peak = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    double sum = 0;
    for (const float sample : audio.channel(c)) {
      sum += sample;
      squares += static_cast<double>(sample) * sample;
      peak = std::max(peak, static_cast<double>(std::abs(sample)));
    }
    const double offset = sum / static_cast<double>(audio.frames());
    if (std::abs(offset) > std::abs(take.offset)) take.offset = offset;
  }
  take.peak_dbfs = DbOfGain(peak);
  take.rms_dbfs = DbOfPower(squares / static_cast<double>(audio.planar().size()));
  take.crest_db = take.peak_dbfs - take.rms_dbfs;
}

// Flat to the last bit, or what a resampler or a codec left of it: whichever is more.
void MeasureClipping(const AudioBuffer& audio, const CancelToken& cancel, TakeMeasures& take) {
  std::vector<TimeSpan> spans;
  const double rate = audio.rate_hz();
  const auto add = [&](int64_t start, int64_t count) {
    spans.push_back({static_cast<double>(start) / rate, static_cast<double>(start + count) / rate});
  };
  double clipped = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    double exact = 0;
    for (const ClippedRun& run : FindClippedRuns(audio.channel(c), cancel)) {
      exact += static_cast<double>(run.count);
      add(run.start, run.count);
    }
    const FlatTops tops = FindFlatTops(audio.channel(c), cancel);
    for (const ClippedRun& run : tops.runs) add(run.start, run.count);
    clipped += std::max(exact, tops.evidence * static_cast<double>(tops.frames));
  }
  take.clipped_ratio = clipped / static_cast<double>(audio.planar().size());
  std::sort(spans.begin(), spans.end(), [](const TimeSpan& a, const TimeSpan& b) { return a.start_s < b.start_s; });
  for (const TimeSpan& span : spans) {
    if (!take.clipping.empty() && span.start_s - take.clipping.back().end_s < kMergeClippingS) {
      take.clipping.back().end_s = std::max(take.clipping.back().end_s, span.end_s);
    } else {
      take.clipping.push_back(span);
    }
  }
}

}  // namespace

absl::StatusOr<TakeMeasures> MeasureTake(const AudioBuffer& audio, const RunOptions& run) {
  TakeMeasures take;
  take.duration_s = audio.duration_s();
  take.channels = audio.channels();
  MeasureLevels(audio, take);
  take.silent = !(take.peak_dbfs > -70);
  if (take.silent) return take;
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  MeasureClipping(audio, run.cancel, take);
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  RunOptions inner;
  inner.cancel = run.cancel;
  GRYM_ASSIGN_OR_RETURN(take.lufs, IntegratedLufs(audio, inner));
  GRYM_ASSIGN_OR_RETURN(const double true_peak, MeasureTruePeak(audio, inner));
  take.true_peak_dbtp = DbOfGain(true_peak);
  GRYM_ASSIGN_OR_RETURN(take.noise, FindNoise(audio, inner));
  GRYM_ASSIGN_OR_RETURN(take.hum, FindHum(audio, inner));
  GRYM_ASSIGN_OR_RETURN(take.spectrum, MeasureLongTermSpectrum(audio, inner));
  take.stereo = MeasureStereo(audio);
  GRYM_ASSIGN_OR_RETURN(take.bands, MakeBandPicture(audio, inner));
  GRYM_ASSIGN_OR_RETURN(take.fine, MakeFineSpectrum(audio, inner));
  return take;
}

}  // namespace grym
