#include "generation/synth/reverb.h"

#include <algorithm>
#include <cmath>

namespace grym::synth {
namespace {

// At 44.1 kHz: primes between 25 and 67 ms, so that no two lines ring together.
constexpr std::array<int, 8> kLineFrames{1123, 1367, 1597, 1861, 2089, 2333, 2633, 2953};
constexpr std::array<int, 4> kDiffuserFrames{142, 107, 379, 277};
constexpr std::array<float, 4> kDiffuserGains{0.75f, 0.75f, 0.625f, 0.625f};
constexpr float kWander = 5.0f;  // frames that the read points of half the lines move, against ringing
constexpr int kWanderRoom = 8;

}  // namespace

QuadReverb::QuadReverb(float seconds, float rate_hz)
    : rate_(rate_hz), low_cut_pole_(1 - std::exp(-6.2831853f * 160 / rate_hz)),
      high_cut_pole_(1 - std::exp(-6.2831853f * 8500 / rate_hz)), damping_(1 - std::exp(-6.2831853f * 6500 / rate_hz)) {
  const float scale = rate_hz / 44100;
  predelay_.assign(static_cast<size_t>(0.016f * rate_hz), Fill(0));
  for (size_t i = 0; i < diffusers_.size(); ++i) {
    diffusers_[i].samples.assign(static_cast<size_t>(scale * static_cast<float>(kDiffuserFrames[i])), Fill(0));
    diffusers_[i].gain = kDiffuserGains[i];
  }
  for (size_t i = 0; i < lines_.size(); ++i) {
    const float frames = scale * static_cast<float>(kLineFrames[i]);
    lines_[i].samples.assign(static_cast<size_t>(frames) + kWanderRoom, Fill(0));
    // 1/sqrt(8) makes the Hadamard matrix a rotation; the rest brings the line to -60 dB in `seconds`.
    lines_[i].gain = static_cast<float>(std::pow(10.0, -3.0 * frames / (std::max(0.1f, seconds) * rate_hz)) / std::sqrt(8.0));
  }
  tail_blocks_ = static_cast<int64_t>((1.7f * seconds + 0.3f) * rate_hz * kBlockStep);
  silent_blocks_ = tail_blocks_ + 1;
}

int64_t QuadReverb::bytes() const {
  size_t lanes = predelay_.size();
  for (const Diffuser& d : diffusers_) lanes += d.samples.size();
  for (const Line& line : lines_) lanes += line.samples.size();
  return static_cast<int64_t>(lanes * sizeof(Lanes));
}

Lanes QuadReverb::Diffuse(Lanes x) {
  for (Diffuser& d : diffusers_) {
    Lanes& slot = d.samples[d.position];
    const Lanes gain = Fill(d.gain);
    const Lanes held = slot;
    const Lanes in = x - gain * held;
    slot = in;
    x = held + gain * in;
    if (++d.position == d.samples.size()) d.position = 0;
  }
  return x;
}

void QuadReverb::MoveReadPoints() {
  phase_ += 0.61 * kBlockFrames / rate_;
  phase_ -= std::floor(phase_);
  for (size_t i = 0; i < lines_.size(); i += 2) {
    const auto target = static_cast<float>(0.1 + kWander * (0.5 + 0.5 * std::sin(6.283185307179586 * (phase_ + 0.125 * static_cast<double>(i)))));
    lines_[i].shift_step = (target - lines_[i].shift) * kBlockStep;
  }
}

void QuadReverb::Frame(Lanes x, Lanes& left, Lanes& right) {
  Lanes y[kLines];
  const Lanes damping = Fill(damping_);
  for (size_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    // The oldest sample stands at `position`; a wandering line reads a little later than that.
    Lanes read;
    if (i % 2 == 0) {
      line.shift += line.shift_step;
      const auto whole = static_cast<size_t>(line.shift);
      const float fraction = line.shift - static_cast<float>(whole);
      size_t at = line.position + whole;
      if (at >= line.samples.size()) at -= line.samples.size();
      const size_t next = at + 1 == line.samples.size() ? 0 : at + 1;
      read = line.samples[at] + Fill(fraction) * (line.samples[next] - line.samples[at]);
    } else {
      read = line.samples[line.position];
    }
    line.damped += damping * (read - line.damped);
    y[i] = line.damped;
  }
  left = (y[0] - y[2]) + (y[4] - y[6]) + Fill(0.5f) * (y[1] - y[5]);
  right = (y[1] - y[3]) + (y[5] - y[7]) + Fill(0.5f) * (y[2] - y[6]);
  for (int span = 1; span < kLines; span *= 2) {  // fast Hadamard transform
    for (int i = 0; i < kLines; i += 2 * span) {
      for (int j = i; j < i + span; ++j) {
        const Lanes a = y[j], b = y[j + span];
        y[j] = a + b;
        y[j + span] = a - b;
      }
    }
  }
  for (size_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    line.samples[line.position] = (i % 4 < 2 ? x : Fill(0) - x) + Fill(line.gain) * y[i];
    if (++line.position == line.samples.size()) line.position = 0;
  }
}

void QuadReverb::Run(const std::array<const float*, kLanes>& inputs, const std::array<Block*, kLanes>& outputs) {
  float peak = 0;
  for (const float* input : inputs) {
    for (int i = 0; input && i < kBlockFrames; ++i) peak = std::max(peak, std::abs(input[i]));
  }
  silent_blocks_ = peak > 1e-7f ? 0 : silent_blocks_ + 1;
  if (silent_blocks_ > tail_blocks_) return;
  MoveReadPoints();
  const Lanes low_pole = Fill(low_cut_pole_), high_pole = Fill(high_cut_pole_);
  for (int i = 0; i < kBlockFrames; ++i) {
    Lanes x = Fill(0);
    for (int lane = 0; lane < kLanes; ++lane) {
      if (inputs[static_cast<size_t>(lane)]) x[lane] = inputs[static_cast<size_t>(lane)][i];
    }
    std::swap(x, predelay_[predelay_position_]);
    if (++predelay_position_ == predelay_.size()) predelay_position_ = 0;
    low_cut_ += low_pole * (x - low_cut_);
    high_cut_ += high_pole * (x - low_cut_ - high_cut_);
    Lanes left, right;
    Frame(Diffuse(high_cut_), left, right);
    for (int lane = 0; lane < kLanes; ++lane) {
      if (Block* out = outputs[static_cast<size_t>(lane)]) {
        out->left[i] += 0.35f * left[lane];
        out->right[i] += 0.35f * right[lane];
      }
    }
  }
}

}  // namespace grym::synth
