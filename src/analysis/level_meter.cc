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
}  // namespace

LevelMeter::LevelMeter(int channels, int rate_hz) : rate_hz_(rate_hz), channels_(channels) {}

void LevelMeter::EndClip(Channel& channel) {
  if (channel.flat_run >= kShortestClip) {
    clipped_samples_ += channel.flat_run;
    const TimeSpan span{static_cast<double>(channel.flat_start) / rate_hz_,
                        static_cast<double>(channel.flat_start + channel.flat_run) / rate_hz_};
    // Neighbouring peaks of one overloaded passage are one span.
    if (!clipping_.empty() && span.start_s >= clipping_.back().start_s &&
        span.start_s - clipping_.back().end_s < 0.05) {
      clipping_.back().end_s = std::max(clipping_.back().end_s, span.end_s);
    } else if (clipping_.size() < kMostSpans) {
      clipping_.push_back(span);
    }
  }
  channel.flat_run = 0;
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
  const int64_t count = block.frames();
  std::vector<float> loudest(count);
  for (int c = 0; c < block.channels(); ++c) {
    Channel& channel = channels_[c];
    const auto samples = block.channel(c);
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < count; ++n) {
      const float sample = samples[n], magnitude = std::fabs(sample);
      sum += sample;
      squares += static_cast<double>(sample) * sample;
      if (magnitude > loudest[n]) loudest[n] = magnitude;
      if (channel.flat_run > 0 || magnitude >= kClipGain) Clip(channel, frames_ + n, sample);
    }
    channel.sum += sum;
    channel.squares += squares;
  }
  for (int64_t n = 0; n < count; ++n) {
    peak_ = std::max(peak_, loudest[n]);
    Silence(frames_ + n, loudest[n]);
  }
  if (block.channels() == 2) {
    const auto left = block.channel(0), right = block.channel(1);
    for (int64_t n = 0; n < count; ++n) {
      const double mid = 0.5 * (left[n] + right[n]), side = 0.5 * (left[n] - right[n]);
      mid_ += mid * mid;
      side_ += side * side;
      left_right_ += static_cast<double>(left[n]) * right[n];
    }
  }
  frames_ += count;
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
  std::sort(clipping_.begin(), clipping_.end(),
            [](const TimeSpan& a, const TimeSpan& b) { return a.start_s < b.start_s; });
  condition.clipping = clipping_;
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
