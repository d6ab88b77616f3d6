// Beats and tempo as they come.
#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "analysis/beat_states.h"
#include "analysis/recent.h"
#include "analysis/tempo_meter.h"
#include "dsp/running_percentile.h"

namespace grym {

// The forward half of the bar pointer model (Krebs, Böck and Widmer 2015; its online use: Böck, Krebs and Widmer
// 2014): at each frame the likeliest state says where the last beat was, and its interval is held near the tempo that
// the last 24 s speak for. Whether there is a beat at all is told by strokes alone, as FindRhythm does. Differs:
// max-product, as TrackBeats. A beat is told kLag frames after it; where the likeliest state leaps to another phase,
// none comes within half an interval of the last. Allocates when made, never after. Threads: one at a time.
class LiveBeats {
 public:
  static constexpr int kLag = 5, kSlack = 2;  // frames of the activation, 11.6 ms each
  // From a beat to the centre of the flux's frame that tells it, at most: the beat may lie before the state's frame.
  static double LatestDecision_s();
  LiveBeats();
  void HearOnset(double time_s);  // a beat that falls on an onset takes its time
  // One frame of the flux. The time of a beat, if this frame tells one.
  std::optional<double> HearFlux(float whole, float bass);
  double tempo_bpm() const { return confidence_ >= kSure ? bpm_ : 0; }  // 0 while unsure
  double confidence() const { return confidence_; }                     // [0, 1], as AudioFeatures::tempo_confidence

 private:
  static constexpr int kParts = 12, kMostBeats = 24, kMostOnsets = 32;
  static constexpr double kSure = 0.25, kUnsure = 0.15;
  static constexpr int64_t kForever = int64_t{1} << 32;  // frames
  struct Beat {
    double time_s = 0;
    float peak = 0;
    std::array<float, kParts> pattern{};  // of the beat that it ends
  };
  // Onset strength scaled by the loudness of the last seconds and minutes.
  class Scale {
   public:
    Scale();
    float Scaled(float rise);

   private:
    Recent rises_;
    RunningPercentile strong_;
  };
  void FollowTempo();
  std::optional<double> Tell();
  double Refine(int64_t frame, int interval) const;
  void Remember(double time_s);
  double Likeness() const;
  double Contrast() const;
  Recent halved_, activation_, strokes_;  // activation: of all rises; strokes: of those that are some
  Scale all_scale_, stroke_scale_;
  TempoMeter tempo_;
  BeatStates states_;
  std::array<double, kMostOnsets> onsets_s_{};
  std::array<Beat, kMostBeats> beats_;  // beat b at b % kMostBeats
  int64_t onsets_ = 0, told_ = 0, frames_ = 0, last_beat_ = -kForever;
  float first_half_ = 0;
  double bpm_ = 0, confidence_ = 0;
  bool sure_ = false;
};

}  // namespace grym
