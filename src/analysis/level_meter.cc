#include "analysis/level_meter.h"

#include <algorithm>
#include <cmath>

#include "dsp/decibels.h"

namespace grym {
namespace {
constexpr float kSilenceGain = 0.001f;     // -60 dBFS
constexpr double kShortestSilence_s = 0.2;
// Clipping holds a flat top: three equal samples or more (Riemer 2009) at the file's own ceiling, which is within 1 dB
// of full scale for a recording that was clipped on the way in.
constexpr float kClipGain = 0.891f;
constexpr int64_t kShortestClip = 3;
constexpr size_t kMostSpans = 1000;
constexpr int64_t kMeteredAtOnce = 1024;  // frames

// Neighbouring peaks of one overloaded passage are one span.
void AddSpan(std::vector<TimeSpan>& spans, const TimeSpan& span) {
  if (!spans.empty() && span.start_s - spans.back().end_s < 0.05) {
    spans.back().end_s = std::max(spans.back().end_s, span.end_s);
  } else if (spans.size() < kMostSpans) {
    spans.push_back(span);
  }
}
}  // namespace

LevelMeter::LevelMeter(int channels, int rate_hz)
    : rate_hz_(rate_hz), channels_(channels), planes_(channels), loudest_(kMeteredAtOnce) {
  for (Channel& channel : channels_) channel.clipping.reserve(kMostSpans);
  silence_.reserve(kMostSpans);
}

void LevelMeter::EndClip(Channel& channel) {
  if (channel.flat_run >= kShortestClip) {
    clipped_samples_ += channel.flat_run;
    const TimeSpan span{static_cast<double>(channel.flat_start) / rate_hz_,
                        static_cast<double>(channel.flat_start + channel.flat_run) / rate_hz_};
    AddSpan(channel.clipping, span);
  }
  channel.flat_run = 0;
}

std::vector<TimeSpan> LevelMeter::Clipping() const {
  std::vector<TimeSpan> all, merged;
  for (const Channel& channel : channels_) all.insert(all.end(), channel.clipping.begin(), channel.clipping.end());
  std::stable_sort(all.begin(), all.end(), [](const TimeSpan& a, const TimeSpan& b) { return a.start_s < b.start_s; });
  for (const TimeSpan& span : all) AddSpan(merged, span);
  return merged;
}

void LevelMeter::Clip(Channel& channel, int64_t frame, float sample) {
  if (channel.flat_run > 0 && sample == channel.flat_value) {
    ++channel.flat_run;
    return;
  }
  if (channel.flat_run > 0) EndClip(channel);
  if (std::fabs(sample) >= kClipGain) {
    channel.flat_run = 1;
    channel.flat_value = sample;
    channel.flat_start = frame;
  }
}

void LevelMeter::Silence(int64_t frame, float magnitude) {
  if (magnitude < kSilenceGain) return;
  if (static_cast<double>(frame - quiet_since_) >= kShortestSilence_s * rate_hz_ && silence_.size() < kMostSpans) {
    silence_.push_back({static_cast<double>(quiet_since_) / rate_hz_, static_cast<double>(frame) / rate_hz_});
  }
  quiet_since_ = frame + 1;
}

void LevelMeter::Push(const AudioBuffer& block) {
  for (int c = 0; c < block.channels(); ++c) planes_[static_cast<size_t>(c)] = block.channel(c).data();
  Push(planes_, block.frames());
}

void LevelMeter::Push(std::span<const float* const> channels, int64_t frames) {
  for (int64_t at = 0; at < frames; at += kMeteredAtOnce) Take(channels, at, std::min(kMeteredAtOnce, frames - at));
}

// Every sum goes on from sample to sample, so that the size of blocks changes no bit.
void LevelMeter::Take(std::span<const float* const> channels, int64_t at, int64_t frames) {
  std::fill(loudest_.begin(), loudest_.end(), 0.0f);
  for (size_t c = 0; c < channels_.size(); ++c) {
    Channel& channel = channels_[c];
    const float* samples = channels[c] + at;
    double sum = channel.sum, squares = channel.squares;
    for (int64_t n = 0; n < frames; ++n) {
      const float sample = samples[n], magnitude = std::fabs(sample);
      sum += sample;
      squares += static_cast<double>(sample) * sample;
      if (magnitude > loudest_[n]) loudest_[n] = magnitude;
      if (channel.flat_run > 0 || magnitude >= kClipGain) Clip(channel, frames_ + n, sample);
    }
    channel.sum = sum;
    channel.squares = squares;
  }
  for (int64_t n = 0; n < frames; ++n) {
    peak_ = std::max(peak_, loudest_[n]);
    Silence(frames_ + n, loudest_[n]);
  }
  if (channels_.size() == 2) {
    const float *left = channels[0] + at, *right = channels[1] + at;
    for (int64_t n = 0; n < frames; ++n) {
      const double mid = 0.5 * (left[n] + right[n]), side = 0.5 * (left[n] - right[n]);
      mid_ += mid * mid;
      side_ += side * side;
      left_right_ += static_cast<double>(left[n]) * right[n];
    }
  }
  frames_ += frames;
}

void LevelMeter::Finish(Level& level, Condition& condition) {
  Silence(frames_, 1.0f);  // closes what is open
  double squares = 0;
  for (Channel& channel : channels_) {
    EndClip(channel);
    squares += channel.squares;
    const double mean = channel.sum / static_cast<double>(std::max<int64_t>(1, frames_));
    if (std::fabs(mean) > std::fabs(condition.dc_offset)) condition.dc_offset = mean;
  }
  const double samples = static_cast<double>(std::max<int64_t>(1, frames_)) * static_cast<double>(channels_.size());
  level.peak_dbfs = DbOfGain(peak_);
  level.rms_dbfs = DbOfPower(squares / samples);
  level.crest_db = peak_ > 0 ? level.peak_dbfs - level.rms_dbfs : 0;
  condition.clipped_ratio = static_cast<double>(clipped_samples_) / samples;
  condition.clipping = Clipping();
  condition.silence = silence_;
  const double duration_s = static_cast<double>(frames_) / rate_hz_;
  if (!silence_.empty() && silence_.front().start_s == 0) condition.leading_silence_s = silence_.front().end_s;
  if (!silence_.empty() && silence_.back().end_s >= duration_s - 0.5 / rate_hz_) {
    condition.trailing_silence_s = duration_s - silence_.back().start_s;
  }
  if (channels_.size() == 2) {
    condition.stereo_width = mid_ + side_ > 0 ? std::min(1.0, side_ / std::max(mid_, 1e-30)) : 0;
    const double norm = std::sqrt(channels_[0].squares * channels_[1].squares);
    condition.stereo_correlation = norm > 0 ? std::clamp(left_right_ / norm, -1.0, 1.0) : 1;
  }
}

}  // namespace grym
