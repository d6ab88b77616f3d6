#include "generation/synth/effects.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace grym::synth {
namespace {

constexpr double kTurn = 6.283185307179586;

struct FormantPeak {
  float hz, q, gain;
};

std::vector<FormantPeak> PeaksOf(Formant formant) {
  switch (formant) {
    // Vowel "ah" between the voices of a mixed choir (Klatt 1980, table of cardinal vowels).
    case Formant::kChoir:
      return {{640, 5, 1.0f}, {1060, 7, 0.8f}, {2500, 9, 0.45f}, {3250, 10, 0.35f}, {4400, 8, 0.15f}};
    case Formant::kSax:
      return {{560, 2.2f, 0.8f}, {1350, 3, 0.7f}, {2700, 4, 0.4f}};
    case Formant::kBrass:
      return {{1150, 1.3f, 0.6f}, {2500, 2.5f, 0.25f}};
    case Formant::kClav:
      return {{950, 1.6f, 0.9f}, {2300, 2.5f, 0.6f}};
    case Formant::kNone:
      break;
  }
  return {};
}

float DryOf(Formant formant) {
  switch (formant) {
    case Formant::kChoir:
      return 0.05f;
    case Formant::kSax:
      return 0.45f;
    case Formant::kBrass:
      return 0.7f;
    case Formant::kClav:
      return 0.3f;
    case Formant::kNone:
      break;
  }
  return 1;
}

}  // namespace

void ModulatedDelay::Prepare(float rate_hz, float base_s, float depth_s, float rate_of_lfo_hz, float phase_apart) {
  base_ = base_s * rate_hz;
  depth_ = depth_s * rate_hz;
  size_t size = 64;
  while (static_cast<float>(size) < base_ + depth_ + 2 * kBlockFrames) size *= 2;
  for (auto& line : line_) line.assign(size, 0);
  mask_ = size - 1;
  step_ = rate_of_lfo_hz * kBlockFrames / rate_hz;
  apart_ = phase_apart;
}

float ModulatedDelay::Distance(double phase) const {
  return base_ + depth_ * static_cast<float>(std::sin(kTurn * phase));
}

void ModulatedDelay::Run(float dry, float wet, Block& io) {
  float* const channels[2] = {io.left, io.right};
  for (int c = 0; c < 2; ++c) {
    std::vector<float>& line = line_[c];
    for (int i = 0; i < kBlockFrames; ++i) line[(write_ + static_cast<size_t>(i)) & mask_] = channels[c][i];
    const float from = Distance(phase_ + apart_ * c), to = Distance(phase_ + step_ + apart_ * c);
    const float step = (to - from) * kBlockStep;
    const size_t head = write_ + line.size();
    for (int i = 0; i < kBlockFrames; ++i) {
      const float distance = from + step * static_cast<float>(i);
      const auto whole = static_cast<size_t>(distance);
      const float fraction = distance - static_cast<float>(whole);
      const size_t at = head + static_cast<size_t>(i) - whole;
      const float near = line[at & mask_], far = line[(at - 1) & mask_];
      channels[c][i] = dry * channels[c][i] + wet * (near + fraction * (far - near));
    }
  }
  write_ = (write_ + kBlockFrames) & mask_;
  phase_ += step_;
  phase_ -= std::floor(phase_);
}

EffectChain::EffectChain(const ChainSpec& spec, float rate_hz)
    : spec_(spec),
      rate_(rate_hz),
      formant_dry_(DryOf(spec.formant)) {
  const auto at = [rate_hz](float hz, float q) { return SvfCoefficients::Of(hz, q, rate_hz); };
  const auto low = [&](float hz, float q) { return SteadyPair(SteadySvf::Low(at(hz, q))); };
  const auto high = [&](float hz, float q) { return SteadyPair(SteadySvf::High(at(hz, q))); };
  for (const FormantPeak& peak : PeaksOf(spec.formant))
    formants_.emplace_back(SteadySvf::Band(at(peak.hz, peak.q), peak.gain));
  // A closed 12-inch cabinet: a bump at 2.4 kHz and a steep fall above 4.5 kHz; the amplifier in front of it is tight.
  before_drive_ = high(110, 0.7071f);
  cabinet_peak_ = SteadyPair(SteadySvf::Band(at(2400, 1.2f), 0.6f));
  cabinet_low_ = low(4300, 0.9f);
  cabinet_low2_ = low(5200, 0.6f);
  low_cut_ = high(spec.low_cut_hz, 0.7071f);
  high_cut_ = low(spec.high_cut_hz, 0.7071f);
  side_ = SteadySvf::High(at(spec.mono_below_hz, 0.7071f));
  if (spec.chorus > 0) chorus_.Prepare(rate_hz, 0.011f, 0.0035f * std::sqrt(spec.chorus), 0.55f, 0.37f);
  if (spec.rotor > 0) rotor_.Prepare(rate_hz, 0.004f, 0.00035f * spec.rotor, 6.1f, 0.5f);
}

void EffectChain::Run(float cutoff, Block& io) {
  if (!formants_.empty()) RunFormants(io);
  if (spec_.drive > 0 || spec_.cabinet) RunDrive(io);
  RunCuts(cutoff, io);
  if (spec_.chorus > 0) chorus_.Run(1 - 0.3f * spec_.chorus, 0.7f * spec_.chorus, io);
  if (spec_.rotor > 0) rotor_.Run(0.35f, 0.65f, io);
  if (spec_.tremolo > 0) RunTremolo(io);
  if (spec_.width != 1 || spec_.mono_below_hz > 0) RunImage(io);
}

void EffectChain::RunFormants(Block& io) {
  Block sum;
  for (int i = 0; i < kBlockFrames; ++i) {
    sum.left[i] = formant_dry_ * io.left[i];
    sum.right[i] = formant_dry_ * io.right[i];
  }
  for (SteadyPair& formant : formants_) formant.AddTo(sum, io);
  io = sum;
}

void EffectChain::RunDrive(Block& io) {
  const float gain = DbToGain(6 + 30 * spec_.drive), back = 1 / std::pow(gain, 0.8f);
  if (spec_.cabinet) before_drive_.Run(io);
  if (spec_.drive > 0) {
    clip_[0].Run(gain, back, io.left);
    clip_[1].Run(gain, back, io.right);
  }
  if (!spec_.cabinet) return;
  Block sum = io;
  cabinet_peak_.AddTo(sum, io);
  io = sum;
  cabinet_low_.Run(io);
  cabinet_low2_.Run(io);
}

void EffectChain::RunCuts(float cutoff, Block& io) {
  if (spec_.low_cut_hz > 0) low_cut_.Run(io);
  if (spec_.high_cut_hz > 0) high_cut_.Run(io);
  automated_ = automated_ || cutoff < 0.999f;
  if (!automated_) return;
  if (cutoff != sweep_) {
    sweep_at_ = SvfCoefficients::Of(18000 * cutoff, 0.8f, rate_);
    sweep_ = cutoff;
  }
  automation_.Low(sweep_at_, io.left, io.right);
}

void EffectChain::RunTremolo(Block& io) {
  const double depth = 0.5 * spec_.tremolo;
  const double s = std::sin(kTurn * tremolo_phase_);
  const float to[2] = {static_cast<float>(1 - depth + depth * s), static_cast<float>(1 - depth - depth * s)};
  ScaleRamped(tremolo_from_[0], to[0], io.left);
  ScaleRamped(tremolo_from_[1], to[1], io.right);
  tremolo_from_[0] = to[0];
  tremolo_from_[1] = to[1];
  tremolo_phase_ += spec_.tremolo_hz * kBlockFrames / rate_;
  tremolo_phase_ -= std::floor(tremolo_phase_);
}

// Width scales the side signal; below `mono_below_hz` the side is cut.
void EffectChain::RunImage(Block& io) {
  alignas(32) float mid[kBlockFrames], side[kBlockFrames];
  for (int i = 0; i < kBlockFrames; ++i) {
    mid[i] = 0.5f * (io.left[i] + io.right[i]);
    side[i] = 0.5f * spec_.width * (io.left[i] - io.right[i]);
  }
  if (spec_.mono_below_hz > 0) side_.Run(side);
  for (int i = 0; i < kBlockFrames; ++i) {
    io.left[i] = mid[i] + side[i];
    io.right[i] = mid[i] - side[i];
  }
}

PingPongDelay::PingPongDelay(double delay_s, float rate_hz)
    : low_pole_(1 - std::exp(-6.2831853f * 260 / rate_hz)), high_pole_(1 - std::exp(-6.2831853f * 3800 / rate_hz)) {
  // A multiple of the block, so that a block never reads what it writes; at most 0.4 ms from what was asked.
  const auto blocks = std::max<int64_t>(2, std::llround(delay_s * rate_hz / kBlockFrames));
  left_.assign(static_cast<size_t>(blocks) * kBlockFrames, 0);
  right_ = left_;
  tail_blocks_ = 16 * blocks;  // 0.42^16 is -120 dB
  silent_blocks_ = tail_blocks_ + 1;
}

void PingPongDelay::Run(const float* input, Block& out) {
  constexpr float kFeedback = 0.42f;
  float peak = 0;
  for (int i = 0; i < kBlockFrames; ++i) peak = std::max(peak, std::abs(input[i]));
  silent_blocks_ = peak > 1e-7f ? 0 : silent_blocks_ + 1;
  if (silent_blocks_ > tail_blocks_) return;
  float* const left = left_.data() + position_;
  float* const right = right_.data() + position_;
  for (int i = 0; i < kBlockFrames; ++i) {
    low_[0] += low_pole_ * (left[i] - low_[0]);
    low_[1] += low_pole_ * (right[i] - low_[1]);
    high_[0] += high_pole_ * (left[i] - low_[0] - high_[0]);
    high_[1] += high_pole_ * (right[i] - low_[1] - high_[1]);
    out.left[i] += high_[0];
    out.right[i] += high_[1];
    left[i] = input[i] + kFeedback * high_[1];
    right[i] = kFeedback * high_[0] + 0.25f * input[i];
  }
  position_ = (position_ + kBlockFrames) % left_.size();
}

}  // namespace grym::synth
