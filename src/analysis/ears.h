// Everything that listens while audio passes by, and what it makes of it at the end.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "analysis/level_meter.h"
#include "analysis/loudness_meter.h"
#include "analysis/pitch_tracker.h"
#include "analysis/spectral_stream.h"
#include "analysis/tonal.h"
#include "analysis/tonal_stream.h"
#include "base/progress.h"
#include "dsp/polyphase.h"
#include "grymsynth/audio_features.h"

namespace grym {

// Listens for `parts` and what they rest on. What it hears does not depend on how the audio is cut into blocks, to the
// last bit. Threads: one at a time, but HearSpectra and HearRest may run beside each other.
class Ears {
 public:
  static constexpr int64_t kMostFrames = LoudnessMeter::kMostFrames;  // that Push takes at a time
  Ears(int channels, int rate_hz, const AnalysisParts& parts = {})
      : Ears(channels, rate_hz, parts, RealFftBatch::kFrames, nullptr, nullptr) {}
  // Takes `at_once` spectra at a time: fewer are heard sooner and cost more. The listeners may be null.
  Ears(int channels, int rate_hz, const AnalysisParts& parts, int at_once, OnsetListener* onsets, TonalListener* tones);
  // Allocates nothing from now on, but for Finish, which will tell of the first `frames` alone; what follows is heard
  // by the listeners and meters only.
  void Reserve(int64_t frames);
  // One pointer per channel, to `frames` finite samples, at most kMostFrames.
  void Push(std::span<const float* const> channels, int64_t frames);
  // Push in two halves, each in order: the first answers the signal at kAnalysisRateHz, valid until it is called again,
  // which the second wants beside the frames that it was made from.
  std::span<const float> HearSpectra(std::span<const float* const> channels, int64_t frames);
  void HearRest(std::span<const float* const> channels, int64_t frames, std::span<const float> at_analysis);
  // All but the facts of the source: rate, channels, frames, duration, replaced samples must be there already.
  absl::Status Finish(AudioFeatures& features, ProgressReporter& progress);

  const LoudnessMeter& loudness() const { return loudness_; }
  const PitchTracker& pitch() const { return pitch_; }
  // How long a sample waits before it reaches the spectra, the pitch tracker and the tonal stream.
  double to_spectra_s() const;
  double to_pitch_s() const;
  double to_tones_s() const;

 private:
  void PushLoudness(std::span<const float* const> channels, int64_t kept, int64_t frames);
  void ListenLow(std::span<const float> at_analysis, bool last);
  void StoreOnsets(AudioFeatures& features);
  void StoreRhythm(const ChromaFrames& chroma, AudioFeatures& features, const CancelToken& cancel);
  absl::Status FinishHarmony(AudioFeatures& features, ProgressReporter& progress);
  bool has(AnalysisPart part) const { return parts_.has(part); }
  int channels_, rate_hz_;
  AnalysisParts parts_;
  bool hears_spectra_, hears_low_;
  LevelMeter level_;
  LoudnessMeter loudness_;
  PolyphaseResampler to_analysis_, to_pitch_, to_tonal_;
  SpectralStream spectral_;
  PitchTracker pitch_;
  TonalStream tonal_;
  std::vector<float> mono_, at_analysis_, at_pitch_, at_tonal_;
  int64_t heard_ = 0, most_frames_ = INT64_MAX;
  double kept_true_peak_ = 0;  // of the first most_frames_
};

}  // namespace grym
