#include "generation/synth/drums.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "generation/synth/filters.h"
#include "generation/synth/steady_svf.h"
#include "generation/synth/wavetable.h"

namespace grym::synth {
namespace {

constexpr float kAudible = 3e-5f;

class DrumVoice : public Voice {
 public:
  DrumVoice(const DrumSpec& spec, const NoteInfo& note, float tune, float length)
      : spec_(spec),
        rate_(note.rate_hz),
        noise_(note.seed, note.rate_hz),
        sine_(WaveTable::Of(Wave::kSine).ForIncrement(0)) {
    Random random(note.seed);
    // A hand never hits twice alike.
    const auto pitch = tune * static_cast<float>(std::exp2(random.Uniform(-0.15, 0.15) / 12));
    const auto colour = static_cast<float>(std::exp2(random.Uniform(-0.1, 0.1))) *
                        std::exp2(0.9f * (note.velocity - 0.8f) + 0.5f * note.detail);
    level_ = spec.level * std::pow(note.velocity, 1.5f);
    const float angle = (spec.pan + 1) * 0.78539816f;
    left_ = std::cos(angle) * 1.41421356f;
    right_ = std::sin(angle) * 1.41421356f;
    for (const ToneSpec& t : spec.tones) {
      Tone tone;
      tone.hz = t.hz * pitch;
      tone.extra_hz = (t.start_hz - t.hz) * pitch * (0.7f + 0.375f * note.velocity);
      tone.sweep = BlockDecay(t.sweep_s * 2.3026f);  // 1/e is 8.7 of the 20 dB
      tone.decay = BlockDecay(t.decay_s * length / 3);
      tone.level = t.level;
      tones_.push_back(tone);
    }
    for (const BurstSpec& b : spec.bursts) {
      Burst burst;
      burst.low_cut = SteadySvf::High(SvfCoefficients::Of(b.low_hz * colour, 0.707f, rate_));
      burst.high_cut = SteadySvf::Low(SvfCoefficients::Of(b.high_hz * colour, 0.707f, rate_));
      burst.decay = BlockDecay(b.decay_s * length / 3);
      burst.attack_step = b.attack_s > 0 ? kBlockFrames / (b.attack_s * rate_) : 1.0f;
      burst.count = b.count;
      burst.gap_blocks = std::max(1, static_cast<int>(std::lround(b.gap_s * rate_ * kBlockStep)));
      burst.level = b.level;
      bursts_.push_back(burst);
    }
    if (spec.metal.level > 0) StartMetal(pitch, colour, length, random);
  }

  bool Render(const VoiceModulation&, Block& out) override {
    Block mine;
    mine.Clear();
    float* const sum = mine.left;
    bool alive = false;
    for (Tone& tone : tones_) alive |= RunTone(tone, sum);
    for (Burst& burst : bursts_) alive |= RunBurst(burst, mine.right, sum);
    alive |= RunMetal(mine.right, sum);
    if (spec_.drive > 0) {
      const float gain = 1 + 4 * spec_.drive;
      clip_.Run(gain, 1 / std::sqrt(gain), sum);
    }
    const float gain_left = level_ * left_, gain_right = level_ * right_;
    for (int i = 0; i < kBlockFrames; ++i) {
      out.left[i] += gain_left * sum[i];
      out.right[i] += gain_right * sum[i];
    }
    ++block_;
    return alive;
  }

 private:
  struct Tone {
    float hz, extra_hz, sweep, decay, level;
    float envelope = 1;
    uint32_t phase = 0;
  };
  struct Burst {
    SteadySvf low_cut, high_cut;
    float decay, attack_step, level;
    int count, gap_blocks;
    float envelope = 0, rising = 0;
  };

  // Factor per block that falls by 20 dB in `seconds`.
  float BlockDecay(float seconds) const { return std::pow(0.1f, kBlockFrames / (std::max(seconds, 1e-4f) * rate_)); }

  bool RunTone(Tone& tone, float* sum) {
    if (tone.envelope < kAudible) return false;
    alignas(32) float wave[kBlockFrames];
    // The pitch falls inside the block too: a kick's first milliseconds are all sweep.
    const float from = (tone.hz + tone.extra_hz) / rate_;
    tone.extra_hz *= tone.sweep;
    const float to = (tone.hz + tone.extra_hz) / rate_;
    const auto step = static_cast<int32_t>(4294967296.0 * (to - from) / kBlockFrames);
    uint32_t increment = PhaseStep(from);
    for (float& x : wave) {
      x = LookUp(sine_, tone.phase);
      tone.phase += increment;
      increment += static_cast<uint32_t>(step);
    }
    const float next = tone.envelope * tone.decay;
    AddRamped(wave, tone.envelope * tone.level, next * tone.level, sum);
    tone.envelope = next;
    return true;
  }

  bool RunBurst(Burst& b, float* scratch, float* sum) {
    const float before = b.envelope;
    if (b.count > 0 && block_ % b.gap_blocks == 0) {
      --b.count;
      b.rising = std::min(1.0f, b.attack_step);
      b.envelope = b.rising;
    } else if (b.rising > 0 && b.rising < 1) {
      b.rising = std::min(1.0f, b.rising + b.attack_step);
      b.envelope = b.rising;
    } else {
      b.rising = 0;
      // Between the strokes of a clap the sound falls fast; after the last it takes its own time.
      b.envelope *= b.count > 0 ? b.decay * b.decay * b.decay : b.decay;
    }
    if (b.envelope < kAudible && b.count == 0) return false;
    for (int i = 0; i < kBlockFrames; ++i) scratch[i] = noise_.Next();
    b.low_cut.Run(scratch);
    b.high_cut.Run(scratch);
    AddRamped(scratch, (before == 0 && b.attack_step >= 1 ? b.envelope : before) * b.level, b.envelope * b.level, sum);
    return true;
  }

  // Six square waves at the ratios of a classic cymbal circuit.
  void StartMetal(float pitch, float colour, float length, Random& random) {
    static constexpr std::array<float, 6> kRatios{1.0f, 1.4829f, 1.8004f, 2.5495f, 2.6302f, 3.8979f};
    for (size_t i = 0; i < kRatios.size(); ++i) {
      const double increment = static_cast<double>(spec_.metal.hz) * pitch * kRatios[i] / rate_;
      metal_step_[i] = PhaseStep(increment);
      metal_phase_[i] = static_cast<uint32_t>(random.Next());
      metal_table_[i] = WaveTable::Of(Wave::kSquare).ForIncrement(increment);
    }
    metal_first_ = metal_second_ =
        SteadySvf::High(SvfCoefficients::Of(spec_.metal.low_hz * colour, 0.9f, rate_));
    metal_decay_ = BlockDecay(spec_.metal.decay_s * length / 3);
    metal_envelope_ = 1;
  }

  bool RunMetal(float* scratch, float* sum) {
    if (metal_envelope_ < kAudible) return false;
    alignas(32) float cluster[kBlockFrames] = {};
    for (size_t i = 0; i < metal_step_.size(); ++i) {
      RenderWave(metal_table_[i], metal_phase_[i], metal_step_[i], scratch);
      for (int n = 0; n < kBlockFrames; ++n) cluster[n] += scratch[n];
    }
    metal_first_.Run(cluster);
    metal_second_.Run(cluster);
    const float next = metal_envelope_ * metal_decay_;
    AddRamped(cluster, metal_envelope_ * spec_.metal.level, next * spec_.metal.level, sum);
    metal_envelope_ = next;
    return true;
  }

  const DrumSpec& spec_;
  float rate_;
  Noise noise_;
  const float* sine_;
  float level_ = 1, left_ = 1, right_ = 1;
  int64_t block_ = 0;
  std::vector<Tone> tones_;
  std::vector<Burst> bursts_;
  std::array<uint32_t, 6> metal_step_{}, metal_phase_{};
  std::array<const float*, 6> metal_table_{};
  SteadySvf metal_first_, metal_second_;
  float metal_envelope_ = 0, metal_decay_ = 0;
  SoftClip clip_;
};

}  // namespace

std::unique_ptr<Voice> MakeDrum(const DrumSpec& spec, const NoteInfo& note, float tune, float length) {
  return std::make_unique<DrumVoice>(spec, note, tune, length);
}

const DrumSpec* FindDrum(const DrumKit& kit, int key) {
  for (const DrumKey& entry : kit) {
    if (entry.key == key) return &entry.drum;
  }
  return nullptr;
}

}  // namespace grym::synth
