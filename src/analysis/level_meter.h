// Level, DC, clipping, silence and stereo facts of a stream, at its own rate.
#pragma once
#include <cstdint>
#include <vector>

#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"

namespace grym {

class LevelMeter {
 public:
  LevelMeter(int channels, int rate_hz);
  void Push(const AudioBuffer& block);
  // Fills level and the parts of condition that are measured here. Call once, after the last block.
  void Finish(Level& level, Condition& condition);

 private:
  struct Channel {
    double sum = 0, squares = 0;
    int64_t flat_run = 0;      // equal samples near full scale, so far
    float flat_value = 0;
    int64_t flat_start = 0;
  };
  void Clip(Channel& channel, int64_t frame, float sample);
  void EndClip(Channel& channel);
  void Silence(int64_t frame, float magnitude);
  int rate_hz_;
  int64_t frames_ = 0, clipped_samples_ = 0;
  float peak_ = 0;
  std::vector<Channel> channels_;
  std::vector<TimeSpan> clipping_, silence_;
  int64_t quiet_since_ = 0;
  double mid_ = 0, side_ = 0, left_right_ = 0;
};

}  // namespace grym
