#include "analysis/live_beats.h"

#include <algorithm>
#include <cmath>

#include "analysis/attack.h"
#include "analysis/rhythm.h"
#include "analysis/spectral_stream.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kBeatFrameHz = static_cast<double>(kAnalysisRateHz) / SpectralStream::kHop / 2;
constexpr double kSameAsOnset_s = 0.03;
constexpr int kFastest = 20, kSlowest = 108;                       // intervals in frames: 258 to 48 beats a minute
constexpr int kMeanFrames = 69, kLargestFrames = 345;              // 0.8 s and 4 s
constexpr int64_t kTempoEvery = 43, kTempoWindows = 3;             // half a second; 12 s each, half overlapping
constexpr int64_t kStrongMemory = 120 * 86;                        // two minutes
constexpr double kStart_bpm = 115, kStartSpread = 0.7;             // octaves
constexpr int64_t kLeastForTempo = 172;                            // 2 s
constexpr double kStays = 1.15;  // another tempo must speak as much louder than the one that is followed

}  // namespace

LiveBeats::LiveBeats()
    : halved_(kMeanFrames + 1),
      activation_(kTempoWindows * TempoMeter::kWindow),
      strokes_(kTempoWindows * TempoMeter::kWindow),
      tempo_(kBeatFrameHz),
      states_(kFastest, kSlowest) {
  states_.Begin(60 * kBeatFrameHz / kStart_bpm, kStartSpread);
}

double LiveBeats::LatestDecision_s() {
  const int refined = kSlowest / BeatStates::kObservation;
  return (kLag + kSlack + refined + 1) / kBeatFrameHz + kSameAsOnset_s;
}

void LiveBeats::HearOnset(double time_s) { onsets_s_[static_cast<size_t>(onsets_++ % kMostOnsets)] = time_s; }

std::optional<double> LiveBeats::HearFlux(float whole, float bass) {
  const float strength = whole + bass;  // kick and bass count double: they carry the beat
  if (frames_++ % 2 == 0) {
    first_half_ = strength;
    return std::nullopt;
  }
  // BeatActivation without the future.
  const float halved = 0.5f * (first_half_ + strength);
  halved_.Push(halved);
  const auto mean = static_cast<float>(Mean(halved_.Between(halved_.end() - kMeanFrames, halved_.end())));
  const float activation = all_scale_.Scaled(std::max(0.0f, halved - mean));
  activation_.Push(activation);
  strokes_.Push(stroke_scale_.Scaled(std::max(0.0f, halved - mean - kFaintRise)));
  states_.Step(activation, {});
  FollowTempo();
  return Tell();
}

LiveBeats::Scale::Scale() : rises_(kLargestFrames + 1), strong_(kStrongMemory) {}

float LiveBeats::Scale::Scaled(float rise) {
  rises_.Push(rise);
  strong_.Add(rise);
  const double scale = std::max<double>(0.8 * rises_.LargestBetween(rises_.end() - kLargestFrames, rises_.end()),
                                        0.5 * strong_.At(0.98));
  return scale > 0.3 ? static_cast<float>(std::min(1.0, std::sqrt(rise / scale))) : 0.0f;
}

// A step of it with each frame, so that none costs much: the windows, then their verdict.
void LiveBeats::FollowTempo() {
  const int64_t step = activation_.end() % kTempoEvery, now = activation_.end() - step;
  if (now < kLeastForTempo || step > kTempoWindows) return;
  if (step < kTempoWindows) {
    if (step == 0) tempo_.Clear();
    const int64_t to = now - step * TempoMeter::kWindow / 2;
    if (step == 0 || to >= TempoMeter::kWindow / 2) tempo_.Add(activation_.Between(to - TempoMeter::kWindow, to));
    return;
  }
  tempo_.Score();
  const double best = tempo_.best_bpm();
  if (best <= 0) return;
  const double followed = bpm_ > 0 ? tempo_.best_near(bpm_, 0.04) : 0;
  const double score = *std::max_element(tempo_.scores().begin(), tempo_.scores().end());
  const bool near = std::abs(best / bpm_ - 1) < 0.04;
  if (!near && score < kStays * followed) return;
  bpm_ = best;
  states_.Prefer(60 * kBeatFrameHz / bpm_);
}

std::optional<double> LiveBeats::Tell() {
  const BeatStates::Place place = states_.Best();
  const int64_t beat = activation_.end() - 1 - place.position;
  if (place.position < kLag || place.position > kLag + kSlack || beat < 0) return std::nullopt;
  if (2 * (beat - last_beat_) < states_.frames(place.interval)) return std::nullopt;
  last_beat_ = beat;
  const double time = Refine(beat, states_.frames(place.interval));
  Remember(time);
  // The fewer beats, the more alike they are by chance: of six in free time one in ten is more than 0.6.
  const auto heard = static_cast<double>(std::min<int64_t>(told_, kMostBeats));
  const double chance = 0.35 + 2 * (1 / heard - 1.0 / kMostBeats);
  confidence_ = std::clamp((Likeness() - chance) / 0.45, 0.0, 1.0) * std::clamp((Contrast() - 0.15) / 0.3, 0.0, 1.0);
  sure_ = confidence_ >= (sure_ ? kUnsure : kSure);
  return sure_ ? std::optional(time) : std::nullopt;
}

// The activation's own peak within a sixteenth of a beat, then the nearest onset, as TrackBeats.
double LiveBeats::Refine(int64_t frame, int interval) const {
  const int64_t reach = std::max<int64_t>(1, interval / BeatStates::kObservation);
  int64_t peak = frame;
  for (int64_t i = std::max<int64_t>(0, frame - reach); i <= std::min(activation_.end() - 1, frame + reach); ++i) {
    if (activation_[i] > activation_[peak]) peak = i;
  }
  double place = static_cast<double>(frame);
  if (activation_[peak] >= 0.1f) {
    const bool inside = peak > 0 && peak + 1 < activation_.end();
    place = static_cast<double>(peak) +
            (inside ? PeakShift(activation_[peak - 1], activation_[peak], activation_[peak + 1]) : 0);
  }
  // A quarter of a frame, since a frame is the mean of two of half its length.
  const double time = std::max(0.0, (place + 0.25) / kBeatFrameHz);
  double nearest = time, distance = kSameAsOnset_s;
  for (int64_t i = std::max<int64_t>(0, onsets_ - kMostOnsets); i < onsets_; ++i) {
    const double onset = onsets_s_[static_cast<size_t>(i % kMostOnsets)];
    if (std::abs(onset - time) >= distance) continue;
    distance = std::abs(onset - time);
    nearest = onset;
  }
  return nearest;
}

// What BeatLikeness and PulseContrast of the whole recording look at, beat by beat: strokes.
void LiveBeats::Remember(double time_s) {
  Beat beat;
  beat.time_s = time_s;
  const int64_t centre = std::lround(time_s * kBeatFrameHz - 0.25);
  beat.peak = strokes_.LargestBetween(centre - 3, centre + 3);
  if (told_ > 0) {
    const double before = beats_[static_cast<size_t>((told_ - 1) % kMostBeats)].time_s, length = time_s - before;
    for (int part = 0; part < kParts; ++part) {
      // The first part is centred on the beat.
      const int64_t from = std::lround((before + length * (part - 0.5) / kParts) * kBeatFrameHz);
      const int64_t to = std::lround((before + length * (part + 0.5) / kParts) * kBeatFrameHz);
      beat.pattern[static_cast<size_t>(part)] = strokes_.LargestBetween(from, std::max(from + 1, to));
    }
  }
  beats_[static_cast<size_t>(told_++ % kMostBeats)] = beat;
}

double LiveBeats::Likeness() const {
  const int64_t first = std::max<int64_t>(1, told_ - kMostBeats), count = told_ - first;
  const auto pattern = [&](int64_t b) -> const std::array<float, kParts>& {
    return beats_[static_cast<size_t>((first + b) % kMostBeats)].pattern;
  };
  double mean = 0, best = 0;
  for (int64_t b = 0; b < count; ++b) {
    for (const float value : pattern(b)) mean += value;
  }
  mean /= static_cast<double>(std::max<int64_t>(1, count) * kParts);
  for (const int64_t lag : {1, 2, 4}) {
    if (count < lag + 4) continue;
    double product = 0, energy = 1e-9;
    for (int64_t b = 0; b + lag < count; ++b) {
      for (size_t part = 0; part < kParts; ++part) {
        const double x = pattern(b)[part] - mean, y = pattern(b + lag)[part] - mean;
        product += x * y;
        energy += 0.5 * (x * x + y * y);
      }
    }
    best = std::max(best, product / energy);
  }
  return best;
}

double LiveBeats::Contrast() const {
  const int64_t first = std::max<int64_t>(0, told_ - kMostBeats);
  double on = 0;
  for (int64_t b = first; b < told_; ++b) on += beats_[static_cast<size_t>(b % kMostBeats)].peak;
  on /= static_cast<double>(std::max<int64_t>(1, told_ - first));
  const int64_t from = std::lround(beats_[static_cast<size_t>(first % kMostBeats)].time_s * kBeatFrameHz);
  return std::clamp(on - Mean(strokes_.Between(from, strokes_.end())), 0.0, 1.0);
}

}  // namespace grym
