#include "generation/synth/modal.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "generation/synth/envelope.h"
#include "generation/synth/filters.h"
#include "generation/synth/lanes.h"

namespace grym::synth {
namespace {

constexpr int kMostModes = 48;

// Each partial is a complex number turned and shrunk once a frame; four are computed at a time, and a group of four is
// dropped when the last of them has died away.
class ModalVoice : public Voice {
 public:
  ModalVoice(const ModalSpec& spec, const NoteInfo& note)
      : rate_(note.rate_hz),
        gate_(note.gate_blocks),
        noise_(note.seed, note.rate_hz),
        damper_({.attack_s = 0, .sustain = 1, .release_s = spec.release_s}, note.rate_hz) {
    damper_.Advance(true);
    Random random(note.seed);
    const double hz = PitchToHz(note.pitch);
    std::vector<Partial> partials = spec.piano ? PianoPartials(spec, note, hz, random) : BarPartials(spec, note, hz);
    std::sort(partials.begin(), partials.end(),
              [](const Partial& a, const Partial& b) { return a.decay_s > b.decay_s; });
    const float level = std::pow(note.velocity, 1.3f);
    for (size_t i = 0; i < partials.size(); i += 4) AddGroup(partials, i, level, spec.width, random);
    hammer_ = spec.hammer * note.velocity * note.velocity;
    hammer_decay_ = std::exp(-kBlockFrames / (0.012f * rate_));
    hammer_coefficients_ = SvfCoefficients::Of(std::min(900.0f + 1.5f * static_cast<float>(hz), 5000.0f), 0.7f, rate_);
  }

  bool Render(const VoiceModulation&, Block& out) override {
    const bool gate = gate_-- > 0;
    const float from = damper_.value(), to = damper_.Advance(gate);
    Lanes left[kBlockFrames], right[kBlockFrames];
    std::fill_n(left, kBlockFrames, Fill(0));
    std::fill_n(right, kBlockFrames, Fill(0));
    size_t next = 0;
    for (; next + 1 < groups_.size(); next += 2) RunPair(groups_[next], groups_[next + 1], left, right);
    if (next < groups_.size()) RunGroup(groups_[next], left, right);
    float mono_left[kBlockFrames], mono_right[kBlockFrames];
    for (int i = 0; i < kBlockFrames; ++i) {
      mono_left[i] = Sum(left[i]);
      mono_right[i] = Sum(right[i]);
    }
    if (first_) {  // contact with the hammer is not instant
      ScaleRamped(0, 1, mono_left);
      ScaleRamped(0, 1, mono_right);
      first_ = false;
    }
    AddRamped(mono_left, from, to, out.left);
    AddRamped(mono_right, from, to, out.right);
    if (hammer_ > 1e-4f) AddHammer(out);
    ++blocks_;
    while (!groups_.empty() && blocks_ >= groups_.back().last_block) groups_.pop_back();
    return (!groups_.empty() || hammer_ > 1e-4f) && (gate || to > 0);
  }

 private:
  struct Partial {
    double hz;
    float level, decay_s;
  };
  struct Group {
    Lanes re, im, turn_re, turn_im, left, right;
    int64_t last_block;
  };

  // Inharmonicity and decay after Fletcher and Rossing, "The Physics of Musical Instruments", ch. 12: the partials of a
  // stiff string are n f0 sqrt(1 + B n^2); low ones sound twice, a loud short one and a soft long one, a little apart.
  std::vector<Partial> PianoPartials(const ModalSpec& spec, const NoteInfo& note, double hz, Random& random) const {
    std::vector<Partial> all;
    const double octave = (note.pitch - 60) / 12;
    const double stiffness = 3.5e-4 * std::exp2(0.85 * octave);
    const double strike =
        spec.strike_hz * std::exp2(0.35 * octave + spec.velocity_octaves * (note.velocity - 0.8) + note.detail);
    const double base_decay = spec.decay_s * std::exp2(-spec.decay_track * octave);
    const int count = static_cast<int>(std::min(34.0, 0.42 * rate_ / hz));
    for (int n = 1; n <= count; ++n) {
      const double f = n * hz * std::sqrt((1 + stiffness * n * n) / (1 + stiffness));
      if (f > 0.45 * rate_ || static_cast<int>(all.size()) + 2 > kMostModes) break;
      const double x = f / strike;
      // A hammer at 1/8 of the string leaves out every eighth partial.
      const double comb = 0.15 + std::abs(std::sin(3.14159265 * n / 8.2));
      double level = comb / (1 + x * x) * std::pow(n, -0.55) * (1 + 0.15 * random.Normal());
      if (hz < 110 && n == 1) level *= std::max(0.35, hz / 110);
      const double decay = base_decay / (1 + std::pow(f / 1400, 1.15) * 0.9) + 0.05;
      const bool doubled = n <= 10;
      all.push_back(
          {f, static_cast<float>(doubled ? 0.8 * level : level), static_cast<float>(doubled ? 0.55 * decay : decay)});
      if (doubled) {
        const double apart =
            f * 0.0007 * random.Uniform(-1, 1);  // a cent: what a good tuner leaves between the strings
        all.push_back({f + apart, static_cast<float>(0.32 * level), static_cast<float>(1.6 * decay)});
      }
    }
    return all;
  }

  std::vector<Partial> BarPartials(const ModalSpec& spec, const NoteInfo& note, double hz) const {
    std::vector<Partial> all;
    const double octave = (note.pitch - 60) / 12;
    const double strike =
        spec.strike_hz * std::exp2(0.3 * octave + spec.velocity_octaves * (note.velocity - 0.8) + note.detail);
    for (const ModeSpec& m : spec.modes) {
      const double f = m.ratio * hz;
      if (f > 0.45 * rate_) continue;
      const double x = f / strike;
      all.push_back({f, static_cast<float>(m.level / std::sqrt(1 + x * x)),
                     static_cast<float>(m.decay_s * spec.decay_s * std::exp2(-spec.decay_track * octave))});
    }
    return all;
  }

  void AddGroup(const std::vector<Partial>& partials, size_t first, float level, float width, Random& random) {
    Group g{Fill(0), Fill(0), Fill(0), Fill(0), Fill(0), Fill(0), 1};
    for (size_t j = 0; j < 4 && first + j < partials.size(); ++j) {
      const Partial& p = partials[first + j];
      const int k = static_cast<int>(j);
      const double angle = 6.283185307179586 * p.hz / rate_;
      const double shrink = std::pow(10.0, -3.0 / (p.decay_s * rate_));
      const double phase = random.Uniform(-0.3, 0.3);
      g.re[k] = static_cast<float>(std::cos(phase));
      g.im[k] = static_cast<float>(std::sin(phase));
      g.turn_re[k] = static_cast<float>(shrink * std::cos(angle));
      g.turn_im[k] = static_cast<float>(shrink * std::sin(angle));
      const auto place = static_cast<float>(random.Uniform(-1, 1)) * width;
      g.left[k] = 0.25f * level * p.level * std::sqrt(1 - place);
      g.right[k] = 0.25f * level * p.level * std::sqrt(1 + place);
      // -90 dB of its start, which is where nobody hears it.
      g.last_block = std::max(g.last_block, static_cast<int64_t>(1.5f * p.decay_s * rate_ * kBlockStep));
    }
    groups_.push_back(g);
  }

  // RunGroup of one and then of the other, to the bit: each waits for its own last frame, so that two fit in the time
  // of one.
  static void RunPair(Group& g, Group& h, Lanes* left, Lanes* right) {
    Lanes re = g.re, im = g.im, re2 = h.re, im2 = h.im;
    const Lanes c = g.turn_re, s = g.turn_im, gl = g.left, gr = g.right;
    const Lanes c2 = h.turn_re, s2 = h.turn_im, gl2 = h.left, gr2 = h.right;
    for (int i = 0; i < kBlockFrames; ++i) {
      left[i] = (left[i] + im * gl) + im2 * gl2;
      right[i] = (right[i] + im * gr) + im2 * gr2;
      const Lanes next = re * c - im * s, next2 = re2 * c2 - im2 * s2;
      im = re * s + im * c;
      im2 = re2 * s2 + im2 * c2;
      re = next;
      re2 = next2;
    }
    g.re = re;
    g.im = im;
    h.re = re2;
    h.im = im2;
  }

  static void RunGroup(Group& g, Lanes* left, Lanes* right) {
    Lanes re = g.re, im = g.im;
    const Lanes c = g.turn_re, s = g.turn_im, gl = g.left, gr = g.right;
    for (int i = 0; i < kBlockFrames; ++i) {
      left[i] += im * gl;
      right[i] += im * gr;
      const Lanes next = re * c - im * s;
      im = re * s + im * c;
      re = next;
    }
    g.re = re;
    g.im = im;
  }

  void AddHammer(Block& out) {
    alignas(32) float knock[kBlockFrames];
    for (float& x : knock) x = hammer_filter_.Step(noise_.Next(), hammer_coefficients_).band;
    const float next = hammer_ * hammer_decay_;
    const float from = blocks_ == 0 ? 0 : hammer_;
    AddRamped(knock, from, next, out.left);
    AddRamped(knock, from, next, out.right);
    hammer_ = next;
  }

  float rate_;
  int64_t gate_, blocks_ = 0;
  Noise noise_;
  Adsr damper_;
  std::vector<Group> groups_;
  bool first_ = true;
  float hammer_ = 0, hammer_decay_ = 0;
  SvfCoefficients hammer_coefficients_;
  Svf hammer_filter_;
};

}  // namespace

std::unique_ptr<Voice> MakeModal(const ModalSpec& spec, const NoteInfo& note) {
  return std::make_unique<ModalVoice>(spec, note);
}

}  // namespace grym::synth
