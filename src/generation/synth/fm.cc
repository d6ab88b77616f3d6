#include "generation/synth/fm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "generation/synth/filters.h"
#include "generation/synth/wavetable.h"

namespace grym::synth {
namespace {

class FmVoice : public Voice {
 public:
  FmVoice(const FmSpec& spec, const NoteInfo& note)
      : rate_(note.rate_hz),
        gate_(note.gate_blocks),
        hammer_(spec.hammer * note.velocity),
        noise_(note.seed, note.rate_hz),
        curve_(spec.pitch, PitchToHz(note.pitch), note.glide_from, 0, note.rate_hz),
        damper_({.attack_s = 0, .sustain = 1, .release_s = spec.release_s}, note.rate_hz),
        sine_(WaveTable::Of(Wave::kSine).ForIncrement(0)) {
    Random random(note.seed);
    damper_.Advance(true);
    for (const OperatorSpec& o : spec.operators) {
      Operator op{Adsr(o.envelope, note.rate_hz)};
      op.target = o.target;
      op.ratio = o.ratio * std::exp2(o.detune_cents / 1200) / rate_;
      // A carrier starts at a zero crossing; a modulator may start anywhere near it, which varies the attack a little.
      op.phase = o.target < 0 ? 0 : static_cast<uint32_t>(random.Uniform(0, 0.04) * 4294967296.0);
      op.level =
          o.level * (1 - o.velocity + o.velocity * std::pow(note.velocity / 0.8f, 1.6f) * (1 + 0.8f * note.detail));
      op.level *= std::exp2(-o.key_scale * static_cast<float>(std::max(-2.0, (note.pitch - 60) / 12)));
      const double angle = (o.pan + 1) * 0.7853981633974483;
      op.left = static_cast<float>(std::cos(angle) * 1.4142135623730951);
      op.right = static_cast<float>(std::sin(angle) * 1.4142135623730951);
      operators_.push_back(op);
    }
    level_ = std::pow(note.velocity, 1.1f);
    hammer_decay_ = std::exp(-kBlockFrames / (0.006f * rate_));
  }

  bool Render(const VoiceModulation& modulation, Block& out) override {
    const bool gate = gate_-- > 0;
    const double hz = curve_.Advance();
    const int count = static_cast<int>(operators_.size());
    std::array<Block, 2> scratch;  // [0].left/right and [1].left hold the phase offsets of operators 0..2
    scratch[0].Clear();
    scratch[1].Clear();
    float* const offsets[4] = {scratch[0].left, scratch[0].right, scratch[1].left, scratch[1].right};
    const float damp_from = damper_.value(), damp_to = damper_.Advance(gate);
    bool alive = hammer_ > 1e-4f;
    for (int k = count - 1; k >= 0; --k) {
      Operator& op = operators_[static_cast<size_t>(k)];
      alignas(32) float wave[kBlockFrames];
      const float from = op.envelope.value() * op.level;
      const float to = op.envelope.Advance(gate) * op.level;
      RenderOperator(op, PhaseStep(hz * op.ratio), offsets[k], wave);
      if (op.target >= 0) {
        // Radians to periods; brightness automation scales the index.
        const float scale = 0.15915494f * std::min(1.5f, modulation.cutoff);
        AddRamped(wave, from * scale, to * scale, offsets[op.target]);
      } else {
        AddRamped(wave, from * damp_from * op.left * level_, to * damp_to * op.left * level_, out.left);
        AddRamped(wave, from * damp_from * op.right * level_, to * damp_to * op.right * level_, out.right);
        alive = alive || !op.envelope.finished(gate);
      }
    }
    if (hammer_ > 1e-4f) AddHammer(out);
    return alive && (gate || damp_to > 0);
  }

 private:
  struct Operator {
    Adsr envelope;
    int target = -1;
    double ratio = 1;
    uint32_t phase = 0;
    float level = 1, left = 1, right = 1;
  };

  void RenderOperator(Operator& op, uint32_t step, const float* offset, float* wave) const {
    uint32_t phase = op.phase;
    for (int i = 0; i < kBlockFrames; ++i, phase += step) {
      // Wrapping the offset in 32-bit phase is exact: int64 keeps large indices from overflowing.
      const auto shift = static_cast<uint32_t>(static_cast<int64_t>(offset[i] * 4294967296.0f));
      wave[i] = LookUp(sine_, phase + shift);
    }
    op.phase = phase;
  }

  void AddHammer(Block& out) {
    const SvfCoefficients c = SvfCoefficients::Of(1800, 1.2f, rate_);
    alignas(32) float tick[kBlockFrames];
    for (float& x : tick) x = tick_.Step(noise_.Next(), c).band;
    const float next = hammer_ * hammer_decay_;
    AddRamped(tick, hammer_, next, out.left);
    AddRamped(tick, hammer_, next, out.right);
    hammer_ = next;
  }

  float rate_;
  int64_t gate_;
  float hammer_, hammer_decay_ = 0, level_ = 1;
  Noise noise_;
  PitchCurve curve_;
  Adsr damper_;
  const float* sine_;
  std::vector<Operator> operators_;
  Svf tick_;
};

}  // namespace

std::unique_ptr<Voice> MakeFm(const FmSpec& spec, const NoteInfo& note) {
  return std::make_unique<FmVoice>(spec, note);
}

}  // namespace grym::synth
