// AnalysisStream: hear audio while it runs (a plug-in, a microphone, a long file), and report on it at the end.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"

namespace grym {

struct AnalysisStreamOptions {
  int rate_hz = 44100;     // [1000, 768000]
  int channels = 1;        // [1, 32]
  double longest_s = 600;  // what the final report can cover, [0, 86400], at 20 KB a second; 0: live values only
  int most_events = 1024;  // told and not yet taken, [16, 1048576]; what comes when that many wait is dropped
};

struct AnalysisEvent {
  enum class Kind { kOnset = 0, kBeat = 1 };
  Kind kind = Kind::kOnset;
  double time_s = 0;  // where it lies
  double late_s = 0;  // how much audio after it was needed to tell; never above the latency of its kind
};

// What is known now. Times are seconds from the first frame. Levels are -infinity for silence and before the first
// window is full.
struct LiveAnalysis {
  double time_s = 0;              // of audio pushed
  double momentary_lufs = 0;      // last 400 ms, anew every 100 ms
  double short_term_lufs = 0;     // last 3 s, anew every 100 ms
  double integrated_lufs = 0;     // of everything so far, gated as at the end; within 0.01 LU of it
  double true_peak_dbtp = 0;      // so far
  double pitch_time_s = 0;        // centre of the frame that the next two speak of
  double f0_hz = 0;               // 0 where unvoiced
  double voicing = 0;             // probability that there is a pitch, [0, 1]
  double chroma_time_s = 0;       // centre of the frame of the chroma
  std::array<float, 12> chroma{};  // C first, the largest is 1; zeros where nothing is pitched
  double tempo_bpm = 0;           // 0 while unsure
  double tempo_confidence = 0;    // [0, 1]
  int64_t replaced_samples = 0;   // NaN, infinite or beyond +-1e9 in the input: heard as 0
  int64_t dropped_events = 0;     // that found no room
};

// Where the report is not what Analyze says of the same audio.
struct ReportGap {
  std::string field;   // of AudioFeatures
  std::string reason;
};

struct AnalysisReport {
  AudioFeatures features;
  std::vector<ReportGap> gaps;  // empty: everything equals Analyze, to the last bit
};

// Live values are causal: they know no future, so a pitch has no path behind it yet, chroma the tuning heard so far,
// onsets the thresholds of what was heard so far, beats the tempo of the last 24 s; what the report says at the end may
// differ from what was told on the way. Nothing depends on how the audio is cut into blocks, neither events nor report.
//
// Threads: Push from one thread (an audio callback), live() and TakeEvents() from one other at the same time; they wait
// for nothing and nobody. Finish alone, after the last Push.
class GRYM_EXPORT AnalysisStream {
 public:
  // InvalidArgument names the field and its value.
  static absl::StatusOr<std::unique_ptr<AnalysisStream>> Create(const AnalysisStreamOptions& options = {});
  ~AnalysisStream();
  AnalysisStream(const AnalysisStream&) = delete;
  AnalysisStream& operator=(const AnalysisStream&) = delete;

  int rate_hz() const;
  int channels() const;

  // One pointer per channel, to `frames` samples (0 and many are fine), read and left as they are. Allocates nothing,
  // takes no lock, and its work is bounded per frame. False, and nothing is heard, for another number of channels, a
  // negative number of frames, and after Finish.
  bool Push(std::span<const float* const> channels, int64_t frames) noexcept;
  // Frame after frame [frames, channels]; false too where the size is no multiple of the channels.
  bool PushInterleaved(std::span<const float> samples) noexcept;
  LiveAnalysis live() noexcept;
  // The oldest events that wait, in the order in which they were told; returns how many.
  size_t TakeEvents(std::span<AnalysisEvent> events) noexcept;

  // Audio after an event that is needed at most to tell it.
  double onset_latency_s() const;  // 80 ms at 44.1 kHz, mostly 52
  double beat_latency_s() const;   // 0.22 s at 44.1 kHz, mostly 0.09
  // Of LiveAnalysis, time_s - pitch_time_s and time_s - chroma_time_s at most.
  double pitch_latency_s() const;
  double chroma_latency_s() const;

  // Hears the end, tells the last events, and reports on the first longest_s. Call once; takes as long as the end of
  // Analyze does. FailedPrecondition with longest_s 0 ("no_report") and the second time ("finished"); InvalidArgument
  // without a frame ("no_frames"); Cancelled once asked, and then the report is lost.
  absl::StatusOr<AnalysisReport> Finish(const RunOptions& run = {});

 private:
  struct Impl;
  explicit AnalysisStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace grym
