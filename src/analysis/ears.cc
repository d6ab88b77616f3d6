#include "analysis/ears.h"

#include <algorithm>
#include <array>

#include "analysis/hum_line.h"
#include "analysis/rhythm.h"
#include "analysis/sections.h"
#include "base/status.h"
#include "dsp/decibels.h"

namespace grym {
namespace {

void StoreChroma(const ChromaFrames& chroma, SpectralFeatures& spectral) {
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

// Frames at another rate, rounded up as the resampler does.
int64_t FramesAt(int64_t frames, int from_hz, int to_hz) { return (frames * to_hz + from_hz - 1) / from_hz; }

}  // namespace

Ears::Ears(int channels, int rate_hz, const AnalysisParts& parts, int at_once, OnsetListener* onsets,
           TonalListener* tones)
    : channels_(channels),
      rate_hz_(rate_hz),
      parts_(parts),
      hears_spectra_(has(AnalysisPart::kSpectrum) || has(AnalysisPart::kOnsets)),
      hears_low_(has(AnalysisPart::kPitch) || has(AnalysisPart::kKey)),
      level_(channels, rate_hz),
      loudness_(channels, rate_hz),
      to_analysis_(rate_hz, kAnalysisRateHz),
      to_pitch_(kAnalysisRateHz, kPitchRateHz),
      to_tonal_(kPitchRateHz, kTonalRateHz),
      spectral_(at_once, onsets,
                !has(AnalysisPart::kSpectrum) ? SpectralStream::What::kOnsets
                : has(AnalysisPart::kOnsets)  ? SpectralStream::What::kEverything
                                              : SpectralStream::What::kStatistics),
      pitch_(at_once),
      tonal_(at_once, tones) {}

void Ears::Reserve(int64_t frames) {
  most_frames_ = frames;
  loudness_.Reserve(frames * 10 / rate_hz_);
  const int64_t at_analysis = FramesAt(frames, rate_hz_, kAnalysisRateHz);
  const int64_t at_pitch = FramesAt(at_analysis, kAnalysisRateHz, kPitchRateHz);
  spectral_.Reserve(at_analysis);
  pitch_.Reserve(at_pitch);
  tonal_.Reserve(FramesAt(at_pitch, kPitchRateHz, kTonalRateHz));
  const auto most = static_cast<size_t>(kMostFrames);
  mono_.reserve(most);
  at_analysis_.reserve(to_analysis_.MostOut(most));
  at_pitch_.reserve(to_pitch_.MostOut(at_analysis_.capacity()));
  at_tonal_.reserve(to_tonal_.MostOut(at_pitch_.capacity()));
  to_analysis_.Reserve(most);
  to_pitch_.Reserve(at_analysis_.capacity());
  to_tonal_.Reserve(at_pitch_.capacity());
}

double Ears::to_spectra_s() const { return static_cast<double>(to_analysis_.lookahead() + 1) / rate_hz_; }
double Ears::to_pitch_s() const {
  return to_spectra_s() + static_cast<double>(to_pitch_.lookahead() + 1) / kAnalysisRateHz;
}
double Ears::to_tones_s() const { return to_pitch_s() + static_cast<double>(to_tonal_.lookahead() + 1) / kPitchRateHz; }

void Ears::Push(std::span<const float* const> channels, int64_t frames) {
  HearRest(channels, frames, HearSpectra(channels, frames));
}

std::span<const float> Ears::HearSpectra(std::span<const float* const> channels, int64_t frames) {
  at_analysis_.clear();
  if (!hears_spectra_ && !hears_low_) return at_analysis_;
  mono_.assign(static_cast<size_t>(frames), 0.0f);
  const float share = 1.0f / static_cast<float>(channels_);
  for (const float* samples : channels) {
    for (size_t n = 0; n < mono_.size(); ++n) mono_[n] += share * samples[n];
  }
  to_analysis_.Push(mono_, at_analysis_);
  if (hears_spectra_) spectral_.Push(at_analysis_);
  return at_analysis_;
}

void Ears::HearRest(std::span<const float* const> channels, int64_t frames, std::span<const float> at_analysis) {
  const int64_t kept = std::clamp<int64_t>(most_frames_ - heard_, 0, frames);
  if (has(AnalysisPart::kLevel)) level_.Push(channels, kept);
  if (has(AnalysisPart::kLoudness)) PushLoudness(channels, kept, frames);
  heard_ += frames;
  if (hears_low_) ListenLow(at_analysis, false);
}

// The true peak of what is kept is read where it ends.
void Ears::PushLoudness(std::span<const float* const> channels, int64_t kept, int64_t frames) {
  if (kept > 0) {
    loudness_.Push(channels, kept);
    kept_true_peak_ = loudness_.true_peak();
  }
  if (kept == frames) return;
  std::array<const float*, AudioBuffer::kMaxChannels> rest;
  for (size_t c = 0; c < channels.size(); ++c) rest[c] = channels[c] + kept;
  loudness_.Push({rest.data(), channels.size()}, frames - kept);
}

void Ears::ListenLow(std::span<const float> at_analysis, bool last) {
  at_pitch_.clear();
  to_pitch_.Push(at_analysis, at_pitch_);
  if (last) to_pitch_.Finish(at_pitch_);
  if (has(AnalysisPart::kPitch)) pitch_.Push(at_pitch_);
  if (!has(AnalysisPart::kKey)) return;
  at_tonal_.clear();
  to_tonal_.Push(at_pitch_, at_tonal_);
  if (last) to_tonal_.Finish(at_tonal_);
  tonal_.Push(at_tonal_);
}

absl::Status Ears::Finish(AudioFeatures& features, ProgressReporter& progress) {
  features.parts = parts_;
  if (hears_spectra_ || hears_low_) {
    at_analysis_.clear();
    to_analysis_.Finish(at_analysis_);
    if (hears_spectra_) spectral_.Push(at_analysis_);
    if (hears_low_) ListenLow(at_analysis_, true);
  }
  if (has(AnalysisPart::kLevel)) level_.Finish(features.level, features.condition);
  if (has(AnalysisPart::kLoudness)) {
    features.loudness = loudness_.Finish();
    if (heard_ > most_frames_) features.loudness.true_peak_dbtp = DbOfGain(kept_true_peak_);
  }
  if (hears_spectra_) spectral_.Finish(features.spectral, features.condition.noise_floor_dbfs);
  progress.Report(0.8, "pitch");
  GRYM_RETURN_IF_ERROR(progress.Check());
  if (has(AnalysisPart::kPitch)) features.pitch = pitch_.Finish();
  if (has(AnalysisPart::kOnsets)) StoreOnsets(features);
  if (has(AnalysisPart::kKey)) GRYM_RETURN_IF_ERROR(FinishHarmony(features, progress));
  return absl::OkStatus();
}

// Everything that rests on the tones.
absl::Status Ears::FinishHarmony(AudioFeatures& features, ProgressReporter& progress) {
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
  if (!has(AnalysisPart::kRhythm)) return absl::OkStatus();
  progress.Report(0.9, "rhythm");
  GRYM_RETURN_IF_ERROR(progress.Check());
  StoreRhythm(chroma, features, progress.cancel());
  progress.Report(0.95, "form");
  GRYM_RETURN_IF_ERROR(progress.Check());
  if (has(AnalysisPart::kChords)) {
    features.chords = RecogniseChords(chroma, {features.beats_s, features.downbeats_s, key}, features.duration_s);
  }
  if (has(AnalysisPart::kSections)) {
    features.sections =
        FindSections(features.spectral.mfcc, chroma, features.beats_s, features.downbeats_s, features.duration_s);
  }
  return absl::OkStatus();
}

void Ears::StoreOnsets(AudioFeatures& features) {
  const OnsetSeries& onsets = spectral_.onsets();
  features.onsets_s = PickOnsets(onsets);
  while (!features.onsets_s.empty() && features.onsets_s.back() >= features.duration_s) features.onsets_s.pop_back();
  features.onset_strength.dim = 1;
  features.onset_strength.rate_hz = onsets.rate_hz;
  features.onset_strength.values = onsets.whole;
}

void Ears::StoreRhythm(const ChromaFrames& chroma, AudioFeatures& features, const CancelToken& cancel) {
  Rhythm rhythm = FindRhythm(spectral_.onsets(), features.onsets_s, chroma, features.duration_s, cancel);
  features.tempo_bpm = rhythm.tempo_bpm;
  features.tempo_confidence = rhythm.tempo_confidence;
  features.beats_s = std::move(rhythm.beats_s);
  features.downbeats_s = std::move(rhythm.downbeats_s);
  features.meter = rhythm.meter;
  features.meter_confidence = rhythm.meter_confidence;
}

}  // namespace grym
