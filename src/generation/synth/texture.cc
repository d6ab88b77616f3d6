#include "generation/synth/texture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "generation/synth/envelope.h"
#include "generation/synth/filters.h"
#include "generation/synth/steady_svf.h"
#include "generation/synth/wavetable.h"

namespace grym::synth {
namespace {

// Two channels of noise through a filter that moves over the note; shared by risers, sweeps and impacts.
class SweepVoice : public Voice {
 public:
  SweepVoice(TextureKind kind, const NoteInfo& note)
      : kind_(kind),
        note_(note),
        noise_{Noise(note.seed, note.rate_hz), Noise(note.seed * 0x9e3779b97f4a7c15ULL + 1, note.rate_hz)},
        saw_(WaveTable::Of(Wave::kSaw).ForIncrement(4.2 * PitchToHz(note.pitch) / note.rate_hz)),
        sine_(WaveTable::Of(Wave::kSine).ForIncrement(0)) {
    release_blocks_ = static_cast<int64_t>(0.12f * note.rate_hz * kBlockStep);
    // An impact rings its own length whatever the note says.
    length_ = kind == TextureKind::kImpact ? static_cast<int64_t>(2.8f * note.rate_hz * kBlockStep)
                                           : std::max<int64_t>(1, note.gate_blocks);
  }

  bool Render(const VoiceModulation& modulation, Block& out) override {
    const float x = std::min(1.0f, static_cast<float>(block_) / static_cast<float>(length_));
    const float level = Level(x) * std::pow(note_.velocity, 1.3f);
    const SvfCoefficients c =
        SvfCoefficients::Of(Cutoff(x) * modulation.cutoff, kind_ == TextureKind::kRiser ? 1.6f : 0.8f, note_.rate_hz);
    float* const channels[2] = {out.left, out.right};
    for (size_t ch = 0; ch < 2; ++ch) {
      alignas(32) float noise[kBlockFrames];
      for (float& s : noise) {
        const Svf::Out y = filter_[ch].Step(noise_[ch].Next(), c);
        s = kind_ == TextureKind::kRiser ? y.band : y.low;
      }
      AddRamped(noise, before_, level, channels[ch]);
    }
    if (kind_ == TextureKind::kRiser)
      AddTone(saw_, PitchToHz(note_.pitch) * std::exp2(x - 1), 0.16f * before_, 0.16f * level, out);
    if (kind_ == TextureKind::kImpact) AddBoom(out);
    before_ = level;
    ++block_;
    return block_ <= length_ + release_blocks_;
  }

 private:
  float Level(float x) const {
    if (block_ >= length_)
      return kind_ == TextureKind::kImpact ? 0
                                           : end_level_ * std::max(0.0f, 1 - static_cast<float>(block_ - length_) /
                                                                                 static_cast<float>(release_blocks_));
    float level = 0;
    switch (kind_) {
      case TextureKind::kRiser:
        level = 0.06f + 0.94f * x * x;
        break;
      case TextureKind::kImpact:
        level = std::exp(-7 * x) * std::min(1.0f, static_cast<float>(block_ + 1) / 4);
        break;
      default:
        level = note_.detail > 0.5f ? x * x : std::exp(-4.5f * x) * std::min(1.0f, static_cast<float>(block_ + 1) / 12);
        break;
    }
    end_level_ = level;
    return level;
  }
  float Cutoff(float x) const {
    if (kind_ == TextureKind::kRiser) return 350 * std::exp2(4.6f * x);
    if (kind_ == TextureKind::kImpact) return 5500 * std::exp2(-5 * x) + 90;
    return note_.detail > 0.5f ? 300 * std::exp2(5.2f * x) : 11000 * std::exp2(-5.2f * x);
  }
  void AddTone(const float* table, double hz, float from, float to, Block& out) {
    alignas(32) float wave[kBlockFrames];
    RenderWave(table, phase_, PhaseStep(hz / note_.rate_hz), wave);
    AddRamped(wave, from, to, out.left);
    AddRamped(wave, from, to, out.right);
  }
  void AddBoom(Block& out) {
    const double t = static_cast<double>(block_) * kBlockFrames / note_.rate_hz;
    const auto level = static_cast<float>(1.4 * note_.velocity * std::exp(-t / 0.45) * (block_ >= length_ - 8 ? 0 : 1));
    AddTone(sine_, 38 + 62 * std::exp(-t / 0.06), boom_, level, out);
    boom_ = level;
  }

  TextureKind kind_;
  NoteInfo note_;
  std::array<Noise, 2> noise_;
  const float* saw_;
  const float* sine_;
  int64_t block_ = 0, length_, release_blocks_;
  uint32_t phase_ = 0;
  float before_ = 0, boom_ = 0;
  mutable float end_level_ = 0;
  Svf filter_[2];
};

// Sparse events over a bed of noise: the crackle of a record or drops of rain. Each event rings a small resonator.
class GrainVoice : public Voice {
 public:
  GrainVoice(bool rain, const NoteInfo& note)
      : rain_(rain),
        note_(note),
        random_(note.seed, "grains"),
        noise_{Noise(note.seed, note.rate_hz), Noise(note.seed + 77777, note.rate_hz)},
        fade_({.attack_s = 0.08f, .sustain = 1, .release_s = 0.15f}, note.rate_hz) {
    push_frames_ = static_cast<int>(std::lround(kPushS * note.rate_hz));
    rate_per_block_ = (rain ? 260.0 : 14.0) * kBlockFrames / note.rate_hz;
    const auto at = [&](float hz, float q) { return SvfCoefficients::Of(hz, q, note.rate_hz); };
    bed_low_cut_.fill(SteadySvf::High(at(rain ? 700.0f : 900.0f, 0.7f)));
    bed_high_cut_.fill(SteadySvf::Low(at(rain ? 7500.0f : 5000.0f, 0.7f)));
    for (SteadySvf& ring : ring_) {
      const double hz = rain ? random_.Uniform(900, 5200) : random_.Uniform(900, 3200);
      ring = SteadySvf::Band(at(static_cast<float>(hz), rain ? 7.0f : 2.0f), 1);
    }
  }

  bool Render(const VoiceModulation&, Block& out) override {
    const bool gate = gate_ < note_.gate_blocks;
    ++gate_;
    const float from = fade_.value() * note_.velocity, to = fade_.Advance(gate) * note_.velocity;
    float* const channels[2] = {out.left, out.right};
    for (size_t ch = 0; ch < 2; ++ch) {
      alignas(32) float bed[kBlockFrames];
      const float bed_level = rain_ ? 0.35f : 0.06f;
      for (float& s : bed) s = bed_level * noise_[ch].Next();
      bed_low_cut_[ch].Run(bed);
      bed_high_cut_[ch].Run(bed);
      for (size_t d = 0; d < ring_.size() / 2; ++d) AddDrops(ch * ring_.size() / 2 + d, bed);
      AddRamped(bed, from, to, channels[ch]);
    }
    return gate || fade_.value() > 0;
  }

 private:
  // An event is a raised-cosine push of about a millisecond, as a stylus over dust gives it: a bare impulse would be a
  // digital click, which listeners, and the gate for takes, rightly take for a fault.
  void AddDrops(size_t d, float* bed) {
    if (push_left_[d] == 0 && random_.Chance(rate_per_block_ / static_cast<double>(ring_.size()))) {
      const double size = random_.Uniform();
      push_level_[d] = static_cast<float>((rain_ ? 0.35 : 0.5) * size * size * size * (random_.Chance(0.5) ? 1 : -1));
      push_left_[d] = push_frames_;
    }
    alignas(32) float push[kBlockFrames] = {};
    for (int i = 0; i < kBlockFrames && push_left_[d] > 0; ++i) {
      push[i] =
          push_level_[d] *
          (0.5f - 0.5f * std::cos(6.2831853f * static_cast<float>(push_left_[d]) / static_cast<float>(push_frames_)));
      --push_left_[d];
    }
    ring_[d].Run(push);
    for (int i = 0; i < kBlockFrames; ++i) bed[i] += push[i];
  }

  static constexpr float kPushS = 40 / 44100.0f;

  bool rain_;
  NoteInfo note_;
  Random random_;
  std::array<Noise, 2> noise_;
  Adsr fade_;
  int64_t gate_ = 0;
  int push_frames_ = 1;
  double rate_per_block_;
  std::array<SteadySvf, 2> bed_low_cut_, bed_high_cut_;
  std::array<SteadySvf, 8> ring_;
  std::array<int, 8> push_left_{};
  std::array<float, 8> push_level_{};
};

}  // namespace

std::unique_ptr<Voice> MakeTexture(const TextureSpec& spec, const NoteInfo& note) {
  if (spec.kind == TextureKind::kVinyl || spec.kind == TextureKind::kRain) {
    return std::make_unique<GrainVoice>(spec.kind == TextureKind::kRain, note);
  }
  return std::make_unique<SweepVoice>(spec.kind, note);
}

}  // namespace grym::synth
