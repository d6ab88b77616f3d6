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
    : rate_(rate_hz),
      low_cut_pole_(1 - std::exp(-6.2831853f * 160 / rate_hz)),
      high_cut_pole_(1 - std::exp(-6.2831853f * 8500 / rate_hz)),
      damping_(1 - std::exp(-6.2831853f * 6500 / rate_hz)) {
  const float scale = rate_hz / 44100;
  predelay_.samples.assign(static_cast<size_t>(0.016f * rate_hz), Fill(0));
  for (size_t i = 0; i < diffusers_.size(); ++i) {
    diffusers_[i].samples.assign(static_cast<size_t>(scale * static_cast<float>(kDiffuserFrames[i])), Fill(0));
  }
  for (size_t i = 0; i < lines_.size(); ++i) {
    const float frames = scale * static_cast<float>(kLineFrames[i]);
    lines_[i].ring.samples.assign(static_cast<size_t>(frames) + kWanderRoom, Fill(0));
    // 1/sqrt(8) makes the Hadamard matrix a rotation; the rest brings the line to -60 dB in `seconds`.
    lines_[i].gain =
        static_cast<float>(std::pow(10.0, -3.0 * frames / (std::max(0.1f, seconds) * rate_hz)) / std::sqrt(8.0));
  }
  tail_blocks_ = static_cast<int64_t>((1.7f * seconds + 0.3f) * rate_hz * kBlockStep);
  silent_blocks_ = tail_blocks_ + 1;
}

int64_t QuadReverb::bytes() const {
  size_t lanes = predelay_.samples.size();
  for (const Ring& ring : diffusers_) lanes += ring.samples.size();
  for (const Line& line : lines_) lanes += line.ring.samples.size();
  return static_cast<int64_t>(lanes * sizeof(Lanes));
}

Lanes* QuadReverb::Ring::Copied(int count, Lanes* to) const {
  const size_t first = std::min(static_cast<size_t>(count), samples.size() - position);
  std::copy_n(samples.data() + position, first, to);
  std::copy_n(samples.data(), static_cast<size_t>(count) - first, to + first);
  return to;
}

const Lanes* QuadReverb::Ring::Oldest(int count, Lanes* scratch) const {
  return Wraps(count) ? Copied(count, scratch) : &samples[position];
}

void QuadReverb::Ring::Close(const Lanes* block) {
  if (Wraps(kBlockFrames)) {
    const size_t first = samples.size() - position;
    std::copy_n(block, first, samples.data() + position);
    std::copy_n(block + first, kBlockFrames - first, samples.data());
  }
  position += kBlockFrames;
  if (position >= samples.size()) position -= samples.size();
}

// Into the lanes, through the predelay, without rumble and hiss.
void QuadReverb::Enter(const std::array<const float*, kLanes>& inputs, Lanes* x) {
  Lanes fresh[kBlockFrames], scratch[kBlockFrames];
  std::fill_n(fresh, kBlockFrames, Fill(0));
  for (int lane = 0; lane < kLanes; ++lane) {
    const float* input = inputs[static_cast<size_t>(lane)];
    for (int i = 0; input && i < kBlockFrames; ++i) fresh[i][lane] = input[i];
  }
  Lanes* const delayed = predelay_.Open(scratch);
  std::copy_n(delayed, kBlockFrames, x);
  std::copy_n(fresh, kBlockFrames, delayed);
  predelay_.Close(delayed);
  const Lanes low_pole = Fill(low_cut_pole_), high_pole = Fill(high_cut_pole_);
  Lanes low = low_cut_, high = high_cut_;
  for (int i = 0; i < kBlockFrames; ++i) {
    low += low_pole * (x[i] - low);
    high += high_pole * (x[i] - low - high);
    x[i] = high;
  }
  low_cut_ = low;
  high_cut_ = high;
}

void QuadReverb::Diffuse(Lanes* x) {
  for (size_t d = 0; d < diffusers_.size(); ++d) {
    Lanes scratch[kBlockFrames];
    Lanes* const block = diffusers_[d].Open(scratch);
    const Lanes gain = Fill(kDiffuserGains[d]);
    for (int i = 0; i < kBlockFrames; ++i) {
      const Lanes held = block[i], in = x[i] - gain * held;
      x[i] = held + gain * in;
      block[i] = in;
    }
    diffusers_[d].Close(block);
  }
}

// Half of the lines are read at a point that wanders by a few frames, interpolated.
void QuadReverb::Wander(size_t index, Lanes* y) {
  Line& line = lines_[index];
  const double turn = 6.283185307179586 * (phase_ + 0.125 * static_cast<double>(index));
  const auto target = static_cast<float>(0.1 + kWander * (0.5 + 0.5 * std::sin(turn)));
  const float step = (target - line.shift) * kBlockStep;
  Lanes scratch[kBlockFrames + kWanderRoom];
  const Lanes* const window = line.ring.Oldest(kBlockFrames + kWanderRoom, scratch);
  for (int i = 0; i < kBlockFrames; ++i) {
    const float shift = line.shift + step * static_cast<float>(i);
    const auto whole = static_cast<int>(shift);
    const Lanes near = window[i + whole];
    y[i] = near + Fill(shift - static_cast<float>(whole)) * (window[i + whole + 1] - near);
  }
  line.shift = target;
}

void QuadReverb::Circulate(const Lanes* x, Lanes* left, Lanes* right) {
  Lanes scratch[kLines][kBlockFrames], wandering[kLines][kBlockFrames];
  const Lanes* out[kLines];  // of the lines, and what goes into them
  Lanes* in[kLines];
  Lanes damped[kLines], gain[kLines];
  for (size_t k = 0; k < kLines; ++k) {
    if (k % 2 == 0) Wander(k, wandering[k]);
    in[k] = lines_[k].ring.Open(scratch[k]);
    out[k] = k % 2 == 0 ? wandering[k] : in[k];
    damped[k] = lines_[k].damped;
    gain[k] = Fill(lines_[k].gain);
  }
  const Lanes damping = Fill(damping_), half = Fill(0.5f);
  for (int i = 0; i < kBlockFrames; ++i) {
    Lanes y[kLines];
    for (int k = 0; k < kLines; ++k) {
      damped[k] += damping * (out[k][i] - damped[k]);
      y[k] = damped[k];
    }
    left[i] = (y[0] - y[2]) + (y[4] - y[6]) + half * (y[1] - y[5]);
    right[i] = (y[1] - y[3]) + (y[5] - y[7]) + half * (y[2] - y[6]);
    for (int span = 1; span < kLines; span *= 2) {  // fast Hadamard transform
      for (int k = 0; k < kLines; k += 2 * span) {
        for (int j = k; j < k + span; ++j) {
          const Lanes a = y[j], b = y[j + span];
          y[j] = a + b;
          y[j + span] = a - b;
        }
      }
    }
    for (int k = 0; k < kLines; ++k) in[k][i] = (k % 4 < 2 ? x[i] : Fill(0) - x[i]) + gain[k] * y[k];
  }
  for (size_t k = 0; k < kLines; ++k) {
    lines_[k].ring.Close(in[k]);
    lines_[k].damped = damped[k];
  }
}

void QuadReverb::Run(const std::array<const float*, kLanes>& inputs, const std::array<Block*, kLanes>& outputs) {
  float peak = 0;
  for (const float* input : inputs) {
    for (int i = 0; input && i < kBlockFrames; ++i) peak = std::max(peak, std::abs(input[i]));
  }
  silent_blocks_ = peak > 1e-7f ? 0 : silent_blocks_ + 1;
  if (silent_blocks_ > tail_blocks_) return;
  phase_ += 0.61 * kBlockFrames / rate_;
  phase_ -= std::floor(phase_);
  Lanes x[kBlockFrames], left[kBlockFrames], right[kBlockFrames];
  Enter(inputs, x);
  Diffuse(x);
  Circulate(x, left, right);
  for (int lane = 0; lane < kLanes; ++lane) {
    Block* out = outputs[static_cast<size_t>(lane)];
    for (int i = 0; out && i < kBlockFrames; ++i) {
      out->left[i] += 0.35f * left[i][lane];
      out->right[i] += 0.35f * right[i][lane];
    }
  }
}

}  // namespace grym::synth
