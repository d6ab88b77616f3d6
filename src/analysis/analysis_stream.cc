#include "grymsynth/analysis_stream.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "analysis/ears.h"
#include "analysis/live_beats.h"
#include "analysis/live_loudness.h"
#include "analysis/live_onsets.h"
#include "base/format.h"
#include "base/handover.h"
#include "base/latest.h"
#include "base/progress.h"
#include "base/status.h"
#include "dsp/decibels.h"

namespace grym {
namespace {

constexpr int kSpectraAtOnce = 1;  // told at once; a batch of eight would wait for 46 ms of flux and 0.7 s of tones
constexpr double kMostSeconds = 86400;
constexpr int kFewestEvents = 16, kMostEvents = 1 << 20;
constexpr float kLargestSample = 1e9f;  // as AudioBuffer::ReplaceNonFinite

absl::Status Refused(const char* field, const std::string& wanted, const std::string& got) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_stream",
               Formatted("analysis stream: want %s in %s, got %s", field, wanted, got));
}

absl::Status CheckStreamOptions(const AnalysisStreamOptions& options) {
  if (options.rate_hz < AudioBuffer::kMinRateHz || options.rate_hz > AudioBuffer::kMaxRateHz)
    return Refused("rate_hz", "[1000, 768000]", std::to_string(options.rate_hz));
  if (options.channels < 1 || options.channels > AudioBuffer::kMaxChannels)
    return Refused("channels", "[1, 32]", std::to_string(options.channels));
  if (!(options.longest_s >= 0 && options.longest_s <= kMostSeconds))
    return Refused("longest_s", "[0, 86400]", std::to_string(options.longest_s));
  if (options.most_events < kFewestEvents || options.most_events > kMostEvents)
    return Refused("most_events", "[16, 1048576]", std::to_string(options.most_events));
  return absl::OkStatus();
}

}  // namespace

struct AnalysisStream::Impl : OnsetListener, TonalListener {
  explicit Impl(const AnalysisStreamOptions& given)
      : options(given),
        kept_frames(std::llround(given.longest_s * given.rate_hz)),
        piece_frames(std::clamp<int64_t>(given.rate_hz / 64, 16, Ears::kMostFrames)),
        ears(given.channels, given.rate_hz, {}, kSpectraAtOnce, this, this),
        planes(static_cast<size_t>(given.channels)),
        samples(static_cast<size_t>(given.channels * piece_frames)),
        events(static_cast<size_t>(given.most_events)) {
    ears.Reserve(kept_frames);
    for (size_t c = 0; c < planes.size(); ++c) planes[c] = samples.data() + static_cast<int64_t>(c) * piece_frames;
    now.momentary_lufs = now.short_term_lufs = now.integrated_lufs = now.true_peak_dbtp = kMinusInfinityDb;
    latest.Write(now);
  }

  void HearAttack(float attack_rms, float level_rms) override { onsets.HearAttack(attack_rms, level_rms); }

  void HearFlux(float whole, float bass) override {
    if (const auto onset = onsets.HearFlux(whole)) {
      Tell(AnalysisEvent::Kind::kOnset, *onset);
      beats.HearOnset(*onset);
    }
    if (const auto beat = beats.HearFlux(whole, bass)) Tell(AnalysisEvent::Kind::kBeat, *beat);
    now.tempo_bpm = beats.tempo_bpm();
    now.tempo_confidence = beats.confidence();
    ++flux_frames;
  }

  void HearPeaks(std::span<const TonalPeak> peaks) override {
    tuning.Add(peaks);
    folder.Fold(peaks, tuning.a4_hz());
    const float largest = *std::max_element(folder.treble().begin(), folder.treble().end());
    for (size_t p = 0; p < 12; ++p) now.chroma[p] = largest > 0 ? folder.treble()[p] / largest : 0;
    now.chroma_time_s = static_cast<double>(tonal_frames++) * TonalStream::kHop / kTonalRateHz;
  }

  double heard_s() const { return static_cast<double>(heard) / options.rate_hz; }

  void Tell(AnalysisEvent::Kind kind, double time_s) {
    double told_s = static_cast<double>(flux_frames * SpectralStream::kHop + SpectralStream::kSize / 2) /
                        kAnalysisRateHz + ears.to_spectra_s();
    if (finished) told_s = std::min(told_s, heard_s());
    if (finished && time_s >= heard_s()) return;  // the silence that is taken to follow
    if (!events.Give({kind, time_s, std::max(0.0, told_s - time_s)})) ++now.dropped_events;
  }

  // `channel_at(c)` is where channel c begins; its samples lie `stride` apart.
  template <class ChannelAt>
  void Copy(ChannelAt channel_at, int64_t stride, int64_t at, int64_t frames) {
    for (size_t c = 0; c < planes.size(); ++c) {
      float* to = samples.data() + static_cast<int64_t>(c) * piece_frames;
      const float* from = channel_at(c) + at * stride;
      for (int64_t n = 0; n < frames; ++n) {
        const float sample = from[n * stride];
        const bool sound = std::abs(sample) <= kLargestSample;  // false for NaN
        to[n] = sound ? sample : 0.0f;
        now.replaced_samples += !sound;
        if (heard + n < kept_frames) kept_replaced += !sound;
      }
    }
  }

  template <class ChannelAt>
  void Hear(ChannelAt channel_at, int64_t stride, int64_t frames) {
    for (int64_t at = 0; at < frames; at += piece_frames) {
      const int64_t count = std::min(piece_frames, frames - at);
      Copy(channel_at, stride, at, count);
      ears.Push(planes, count);
      loudness.Follow(ears.loudness().sums());
      heard += count;
    }
    Show();
  }

  void Show() {
    const PitchTracker::Now& pitch = ears.pitch().now();
    now.time_s = heard_s();
    now.momentary_lufs = loudness.momentary_lufs();
    now.short_term_lufs = loudness.short_term_lufs();
    now.integrated_lufs = loudness.integrated_lufs();
    now.true_peak_dbtp = DbOfGain(ears.loudness().true_peak());
    now.pitch_time_s =
        static_cast<double>(std::max<int64_t>(0, pitch.frames - 1)) * PitchTracker::kHop / kPitchRateHz;
    now.f0_hz = pitch.f0_hz;
    now.voicing = pitch.confidence;
    latest.Write(now);
  }

  std::vector<ReportGap> Gaps() const {
    if (heard <= kept_frames) return {};
    std::vector<ReportGap> gaps{{"duration_s", Formatted("the report covers the first %g s of %g s: longest_s was %g",
                                                         options.longest_s, heard_s(), options.longest_s)}};
    for (const char* field : {"loudness", "spectral", "onset_strength", "onsets_s", "beats_s", "pitch", "key", "chords",
                              "sections"}) {
      gaps.push_back({field, "its last frames heard what followed there, where Analyze of that part hears silence"});
    }
    return gaps;
  }

  AnalysisStreamOptions options;
  int64_t kept_frames, piece_frames;
  Ears ears;
  LiveOnsets onsets;
  LiveBeats beats;
  LiveLoudness loudness;
  TuningMeter tuning;
  ChromaFolder folder;
  std::vector<const float*> planes;
  std::vector<float> samples;  // of one piece, channel after channel
  Handover<AnalysisEvent> events;
  Latest<LiveAnalysis> latest;
  LiveAnalysis now;
  int64_t heard = 0, flux_frames = 0, tonal_frames = 0, kept_replaced = 0;
  bool finished = false;
};

AnalysisStream::AnalysisStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AnalysisStream::~AnalysisStream() = default;

absl::StatusOr<std::unique_ptr<AnalysisStream>> AnalysisStream::Create(const AnalysisStreamOptions& options) {
  GRYM_RETURN_IF_ERROR(CheckStreamOptions(options));
  return std::unique_ptr<AnalysisStream>(new AnalysisStream(std::make_unique<Impl>(options)));
}

int AnalysisStream::rate_hz() const { return impl_->options.rate_hz; }
int AnalysisStream::channels() const { return impl_->options.channels; }

bool AnalysisStream::Push(std::span<const float* const> channels, int64_t frames) noexcept {
  if (impl_->finished || frames < 0 || std::ssize(channels) != impl_->options.channels) return false;
  impl_->Hear([&](size_t c) { return channels[c]; }, 1, frames);
  return true;
}

bool AnalysisStream::PushInterleaved(std::span<const float> samples) noexcept {
  const int64_t channels = impl_->options.channels;
  if (impl_->finished || std::ssize(samples) % channels != 0) return false;
  impl_->Hear([&](size_t c) { return samples.data() + c; }, channels, std::ssize(samples) / channels);
  return true;
}

LiveAnalysis AnalysisStream::live() noexcept { return impl_->latest.Read(); }

size_t AnalysisStream::TakeEvents(std::span<AnalysisEvent> events) noexcept { return impl_->events.Take(events); }

double AnalysisStream::onset_latency_s() const {
  return LiveOnsets::LatestDecision_s() + SpectralStream::kSize / 2.0 / kAnalysisRateHz + impl_->ears.to_spectra_s();
}
double AnalysisStream::beat_latency_s() const {
  return LiveBeats::LatestDecision_s() + SpectralStream::kSize / 2.0 / kAnalysisRateHz + impl_->ears.to_spectra_s();
}
double AnalysisStream::pitch_latency_s() const {
  constexpr int kBehind = 2 * PitchTracker::kWindow - PitchTracker::kLead + PitchTracker::kHop;
  return static_cast<double>(kBehind) / kPitchRateHz + impl_->ears.to_pitch_s();
}
double AnalysisStream::chroma_latency_s() const {
  return static_cast<double>(TonalStream::kSize / 2 + TonalStream::kHop) / kTonalRateHz + impl_->ears.to_tones_s();
}

absl::StatusOr<AnalysisReport> AnalysisStream::Finish(const RunOptions& run) {
  Impl& self = *impl_;
  if (self.finished)
    return Error(absl::StatusCode::kFailedPrecondition, "finished", "analysis stream: its report was asked for before");
  if (self.options.longest_s == 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "no_report",
                 "analysis stream: want longest_s above 0 for a report, got 0");
  }
  if (self.heard == 0)
    return Error(absl::StatusCode::kInvalidArgument, "no_frames", "analysis stream: want at least one frame, got none");
  self.finished = true;
  ProgressReporter progress(run);
  AnalysisReport report;
  AudioFeatures& features = report.features;
  features.rate_hz = self.options.rate_hz;
  features.channels = self.options.channels;
  features.frames = std::min(self.heard, self.kept_frames);
  features.duration_s = static_cast<double>(features.frames) / features.rate_hz;
  features.condition.replaced_samples = self.kept_replaced;
  GRYM_RETURN_IF_ERROR(progress.Check());
  GRYM_RETURN_IF_ERROR(self.ears.Finish(features, progress));
  self.loudness.Follow(self.ears.loudness().sums());
  self.Show();
  report.gaps = self.Gaps();
  progress.Report(1, "done");
  return report;
}

}  // namespace grym
