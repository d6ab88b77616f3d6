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
}

void LoudnessRate::Convert(std::vector<float>& interleaved) {
  if (!changes()) return;
  for (size_t c = 0; c < lanes_.size(); ++c) {
    lane_.clear();
    for (size_t i = c; i < interleaved.size(); i += lanes_.size()) lane_.push_back(interleaved[i]);
    made_[c].clear();
    lanes_[c].Push(lane_, made_[c]);
  }
  Interleave(interleaved);
}

void LoudnessRate::Finish(std::vector<float>& interleaved) {
  interleaved.clear();
  for (size_t c = 0; c < lanes_.size(); ++c) {
    made_[c].clear();
    lanes_[c].Finish(made_[c]);
  }
  if (changes()) Interleave(interleaved);
}

void LoudnessRate::Interleave(std::vector<float>& interleaved) {
  const size_t frames = made_[0].size();
  interleaved.resize(frames * lanes_.size());
  for (size_t c = 0; c < lanes_.size(); ++c) {
    for (size_t i = 0; i < frames; ++i) interleaved[i * lanes_.size() + c] = made_[c][i];
  }
}

}  // namespace grym
