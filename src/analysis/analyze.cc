#include "analysis/analyze.h"

#include <algorithm>

#include "analysis/hum_line.h"
#include "analysis/level_meter.h"
#include "analysis/loudness_meter.h"
#include "analysis/pitch_tracker.h"
#include "analysis/rhythm.h"
#include "analysis/sections.h"
#include "analysis/spectral_stream.h"
#include "analysis/tonal.h"
#include "analysis/tonal_stream.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "dsp/polyphase.h"

namespace grym {
namespace {

constexpr int64_t kBlockFrames = 32768;

// Everything that listens while blocks pass by.
class Ears {
 public:
  Ears(int channels, int rate_hz)
      : level_(channels, rate_hz),
        loudness_(channels, rate_hz),
        to_analysis_(rate_hz, kAnalysisRateHz),
        to_pitch_(kAnalysisRateHz, kPitchRateHz),
        to_tonal_(kPitchRateHz, kTonalRateHz) {}

  void Push(const AudioBuffer& block) {
    level_.Push(block);
    loudness_.Push(block);
    mono_.assign(static_cast<size_t>(block.frames()), 0.0f);
    const float share = 1.0f / static_cast<float>(block.channels());
    for (int c = 0; c < block.channels(); ++c) {
      const auto samples = block.channel(c);
      for (size_t n = 0; n < mono_.size(); ++n) mono_[n] += share * samples[n];
    }
    at_analysis_.clear();
    to_analysis_.Push(mono_, at_analysis_);
    Listen(false);
  }

  absl::Status Finish(AudioFeatures& features, ProgressReporter& progress) {
    at_analysis_.clear();
    to_analysis_.Finish(at_analysis_);
    Listen(true);
    level_.Finish(features.level, features.condition);
    features.loudness = loudness_.Finish();
    spectral_.Finish(features.spectral, features.condition.noise_floor_dbfs);
    progress.Report(0.8, "pitch");
    GRYM_RETURN_IF_ERROR(progress.Check());
    features.pitch = pitch_.Finish();
    progress.Report(0.85, "harmony");
    GRYM_RETURN_IF_ERROR(progress.Check());
    const TonalFrames tones = tonal_.Finish();
    const Hum hum = FindHumLine(tones.mean_power, static_cast<double>(kTonalRateHz) / TonalStream::kSize);
    features.condition.hum_hz = hum.hz;
    features.condition.hum_db = hum.db;
    features.tuning_hz = EstimateTuning(tones);
    const ChromaFrames chroma = ComputeChroma(tones, features.tuning_hz, progress.cancel());
    GRYM_RETURN_IF_ERROR(progress.Check());
    StoreChroma(chroma, features.spectral);
    const KeyEstimate key = EstimateKey(chroma);
    features.key = key.key;
    features.key_confidence = key.confidence;
    progress.Report(0.9, "rhythm");
    GRYM_RETURN_IF_ERROR(progress.Check());
    StoreRhythm(chroma, features, progress.cancel());
    progress.Report(0.95, "form");
    GRYM_RETURN_IF_ERROR(progress.Check());
    features.chords = RecogniseChords(chroma, features.beats_s, features.duration_s);
    features.sections =
        FindSections(features.spectral.mfcc, chroma, features.beats_s, features.downbeats_s, features.duration_s);
    return absl::OkStatus();
  }

 private:
  void Listen(bool last) {
    spectral_.Push(at_analysis_);
    at_pitch_.clear();
    to_pitch_.Push(at_analysis_, at_pitch_);
    if (last) to_pitch_.Finish(at_pitch_);
    pitch_.Push(at_pitch_);
    at_tonal_.clear();
    to_tonal_.Push(at_pitch_, at_tonal_);
    if (last) to_tonal_.Finish(at_tonal_);
    tonal_.Push(at_tonal_);
  }

  static void StoreChroma(const ChromaFrames& chroma, SpectralFeatures& spectral) {
    FrameSeries& series = spectral.chroma;
    series.dim = 12;
    series.rate_hz = chroma.rate_hz;
    series.values.reserve(chroma.treble.size() * 12);
    int64_t sounding = 0;
    for (const Chroma& frame : chroma.treble) {
      const float largest = *std::max_element(frame.begin(), frame.end());
      for (int p = 0; p < 12; ++p) {
        series.values.push_back(largest > 0 ? frame[p] / largest : 0);
        spectral.mean_chroma[p] += series.values.back();
      }
      sounding += largest > 0;
    }
    for (double& mean : spectral.mean_chroma) mean /= static_cast<double>(std::max<int64_t>(1, sounding));
  }

  void StoreRhythm(const ChromaFrames& chroma, AudioFeatures& features, const CancelToken& cancel) {
    OnsetSeries& onsets = spectral_.onsets();
    features.onsets_s = PickOnsets(onsets);
    while (!features.onsets_s.empty() && features.onsets_s.back() >= features.duration_s) features.onsets_s.pop_back();
    Rhythm rhythm = FindRhythm(onsets, features.onsets_s, chroma, features.duration_s, cancel);
    features.tempo_bpm = rhythm.tempo_bpm;
    features.tempo_confidence = rhythm.tempo_confidence;
    features.beats_s = std::move(rhythm.beats_s);
    features.downbeats_s = std::move(rhythm.downbeats_s);
    features.meter = rhythm.meter;
    features.meter_confidence = rhythm.meter_confidence;
    features.onset_strength.dim = 1;
    features.onset_strength.rate_hz = onsets.rate_hz;
    features.onset_strength.values = std::move(onsets.whole);
  }

  LevelMeter level_;
  LoudnessMeter loudness_;
  PolyphaseResampler to_analysis_, to_pitch_, to_tonal_;
  SpectralStream spectral_;
  PitchTracker pitch_;
  TonalStream tonal_;
  std::vector<float> mono_, at_analysis_, at_pitch_, at_tonal_;
};

}  // namespace

absl::StatusOr<AudioFeatures> AnalyzeSource(BlockSource& source, const RunOptions& run) {
  if (source.rate_hz() < AudioBuffer::kMinRateHz) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_rate",
        Formatted("analyse: want a rate of at least %d Hz, got %d", AudioBuffer::kMinRateHz, source.rate_hz()));
  }
  ProgressReporter progress(run);
  AudioFeatures features;
  features.rate_hz = source.rate_hz();
  features.channels = source.channels();
  Ears ears(source.channels(), source.rate_hz());
  while (true) {
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, source.Read(kBlockFrames));
    if (block.frames() == 0) break;
    ears.Push(block);
    features.frames += block.frames();
    if (source.frames() > 0) {
      progress.Report(0.78 * static_cast<double>(features.frames) / static_cast<double>(source.frames()), "listen");
    }
  }
  if (features.frames == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                 "analyse: want at least one frame, got an empty recording");
  }
  features.duration_s = static_cast<double>(features.frames) / features.rate_hz;
  features.condition.replaced_samples = source.replaced_samples();
  GRYM_RETURN_IF_ERROR(ears.Finish(features, progress));
  progress.Report(1, "done");
  return features;
}

}  // namespace grym
