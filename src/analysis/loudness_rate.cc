#include "analysis/loudness_rate.h"

namespace grym {
namespace {
constexpr int kLeastMeteredHz = 22050, kMeteredHz = 44100;
}  // namespace

LoudnessRate::LoudnessRate(int channels, int rate_hz) : rate_hz_(rate_hz) {
  if (rate_hz >= kLeastMeteredHz) return;
  rate_hz_ = (kMeteredHz + rate_hz - 1) / rate_hz * rate_hz;
  lanes_.assign(static_cast<size_t>(channels), PolyphaseResampler(rate_hz, rate_hz_));
  made_.resize(lanes_.size());
  out_.resize(lanes_.size());
}

void LoudnessRate::Reserve(size_t most_frames) {
  for (size_t c = 0; c < lanes_.size(); ++c) {
    lanes_[c].Reserve(most_frames);
    made_[c].reserve(lanes_[c].MostOut(most_frames));
  }
}

void LoudnessRate::Push(std::span<const float* const> channels, int64_t frames) {
  for (size_t c = 0; c < lanes_.size(); ++c) {
    made_[c].clear();
    lanes_[c].Push({channels[c], static_cast<size_t>(frames)}, made_[c]);
  }
  Point();
}

void LoudnessRate::Finish() {
  for (size_t c = 0; c < lanes_.size(); ++c) {
    made_[c].clear();
    lanes_[c].Finish(made_[c]);
  }
  Point();
}

void LoudnessRate::Point() {
  for (size_t c = 0; c < lanes_.size(); ++c) out_[c] = made_[c].data();
  out_frames_ = made_.empty() ? 0 : std::ssize(made_[0]);
}

}  // namespace grym
