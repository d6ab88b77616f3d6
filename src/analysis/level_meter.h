// Level, DC, clipping, silence and stereo facts of a stream, at its own rate.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"

namespace grym {

class LevelMeter {
 public:
  LevelMeter(int channels, int rate_hz);
  void Push(const AudioBuffer& block);
  // One pointer per channel, to `frames` samples. Allocates nothing.
  void Push(std::span<const float* const> channels, int64_t frames);
  // Fills level and the parts of condition that are measured here. Call once, after the last block.
  void Finish(Level& level, Condition& condition);

 private:
  struct Channel {
    double sum = 0, squares = 0;
    int64_t flat_run = 0;      // equal samples near full scale, so far
    float flat_value = 0;
    int64_t flat_start = 0;
    std::vector<TimeSpan> clipping;
  };
  void Clip(Channel& channel, int64_t frame, float sample);
  void EndClip(Channel& channel);
  std::vector<TimeSpan> Clipping() const;
  void Silence(int64_t frame, float magnitude);
  void Take(std::span<const float* const> channels, int64_t at, int64_t frames);
  int rate_hz_;
  int64_t frames_ = 0, clipped_samples_ = 0;
  float peak_ = 0;
  std::vector<Channel> channels_;
  std::vector<TimeSpan> silence_;
  std::vector<const float*> planes_;
  std::vector<float> loudest_;  // over the channels, of each frame
  int64_t quiet_since_ = 0;
  double mid_ = 0, side_ = 0, left_right_ = 0;
};

}  // namespace grym
