#include "generation/synth/subtractive.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "generation/synth/filters.h"

namespace grym::synth {
namespace {

class SubtractiveVoice : public Voice {
 public:
  SubtractiveVoice(const SubtractiveSpec& spec, const NoteInfo& note)
      : spec_(spec),
        rate_(note.rate_hz),
        gate_(note.gate_blocks),
        amp_(spec.amp, note.rate_hz),
        filter_env_(spec.filter_env, note.rate_hz),
        noise_(note.seed, note.rate_hz),
        curve_(spec.pitch, PitchToHz(note.pitch), note.glide_from, 0, note.rate_hz) {
    Random random(note.seed);
    const double top = curve_.top_hz() * 1.01 / rate_;
    for (const OscillatorSpec& o : spec.oscillators) {
      Oscillator osc;
      osc.ratio = std::exp2((o.semitones + o.cents / 100) / 12) / rate_;
      osc.table = WaveTable::Of(o.wave).ForIncrement(top * std::exp2((o.semitones + o.cents / 100) / 12));
      osc.phase = spec.random_phase ? static_cast<uint32_t>(random.Next()) : 0;
      const double angle = (o.pan + 1) * 0.7853981633974483;
      osc.left = o.level * static_cast<float>(std::cos(angle) * 1.4142135623730951);
      osc.right = o.level * static_cast<float>(std::sin(angle) * 1.4142135623730951);
      stereo_ = stereo_ || o.pan != 0;
      oscillators_.push_back(osc);
    }
    level_ = std::pow(note.velocity, spec.velocity_curve);
    const float track = static_cast<float>((note.pitch - 60) / 12) * spec.key_track;
    const float velocity = (note.velocity - 0.8f) * spec.velocity_octaves;
    const float drift = static_cast<float>(random.Uniform(-0.06, 0.06));
    cutoff_octaves_ = track + velocity + 1.5f * note.detail + drift;
    q_ = 0.7071f + 9.0f * spec.resonance * spec.resonance;
    noise_decay_ = std::exp(-kBlockFrames / (0.03f * rate_));
    noise_level_ = spec.noise + spec.noise_attack;
  }

  bool Render(const VoiceModulation& modulation, Block& out) override {
    const bool gate = gate_-- > 0;
    const float from = amp_.value(), to = amp_.Advance(gate);
    const double hz = curve_.Advance();
    Block mine;
    mine.Clear();
    RenderOscillators(hz, mine);
    if (noise_level_ > 1e-4f) AddNoise(static_cast<float>(hz), mine);
    RunFilter(gate, modulation.cutoff, mine);
    AddRamped(mine.left, from * level_, to * level_, out.left);
    AddRamped(stereo_ ? mine.right : mine.left, from * level_, to * level_, out.right);
    return !amp_.finished(gate);
  }

 private:
  struct Oscillator {
    double ratio;  // cycles a frame for each hertz
    const float* table;
    uint32_t phase;
    float left, right;
  };

  void RenderOscillators(double hz, Block& mine) {
    alignas(32) float wave[kBlockFrames];
    for (Oscillator& o : oscillators_) {
      RenderWave(o.table, o.phase, PhaseStep(hz * o.ratio), wave);
      for (int i = 0; i < kBlockFrames; ++i) mine.left[i] += wave[i] * o.left;
      if (stereo_) {
        for (int i = 0; i < kBlockFrames; ++i) mine.right[i] += wave[i] * o.right;
      }
    }
  }

  // Breath: white noise through a wide band-pass an octave above the note.
  void AddNoise(float hz, Block& mine) {
    const SvfCoefficients c = SvfCoefficients::Of(std::min(hz * 2.2f, 9000.0f), 0.8f, rate_);
    for (int i = 0; i < kBlockFrames; ++i) {
      const float breath = breath_.Step(noise_.Next(), c).band * noise_level_;
      mine.left[i] += breath;
      mine.right[i] += breath;
    }
    noise_level_ = spec_.noise + (noise_level_ - spec_.noise) * noise_decay_;
  }

  void RunFilter(bool gate, float multiplier, Block& mine) {
    const int channels = stereo_ ? 2 : 1;
    float* const lanes[2] = {mine.left, mine.right};
    if (spec_.drive > 0) {
      const float gain = 1 + 5 * spec_.drive;
      for (int c = 0; c < channels; ++c) clip_[c].Run(gain, 1 / std::sqrt(gain), lanes[c]);
    }
    if (spec_.filter == FilterKind::kNone) return;
    const float env = filter_env_.Advance(gate);
    const float cutoff = spec_.cutoff_hz * std::exp2(cutoff_octaves_ + env * spec_.env_octaves) * multiplier;
    if (spec_.filter == FilterKind::kLadder) {
      for (int c = 0; c < channels; ++c) ladder_[c].Run(cutoff, spec_.resonance, rate_, lanes[c]);
      return;
    }
    float* const right = stereo_ ? mine.right : nullptr;
    if (cutoff != cutoff_) {
      cutoff_ = cutoff;
      main_ = SvfCoefficients::Of(cutoff, q_, rate_);
      if (spec_.filter == FilterKind::kLow24) flat_ = SvfCoefficients::Of(cutoff * 1.1f, 0.6f, rate_);
    }
    first_.Low(main_, mine.left, right);
    if (spec_.filter == FilterKind::kLow24) second_.Low(flat_, mine.left, right);
  }

  const SubtractiveSpec& spec_;
  float rate_;
  int64_t gate_;
  Adsr amp_, filter_env_;
  Noise noise_;
  PitchCurve curve_;
  std::vector<Oscillator> oscillators_;
  bool stereo_ = false;
  float level_ = 1, cutoff_octaves_ = 0, q_ = 0.7f, noise_level_ = 0, noise_decay_ = 0;
  float cutoff_ = -1;  // what the two filters are set to
  SvfCoefficients main_, flat_;
  StereoSvf first_, second_;
  Svf breath_;
  Ladder ladder_[2];
  SoftClip clip_[2];
};

}  // namespace

std::vector<OscillatorSpec> Unison(Wave wave, int count, float cents, float width, float semitones, float level) {
  std::vector<OscillatorSpec> all;
  for (int i = 0; i < count; ++i) {
    const float x = count == 1 ? 0 : 2.0f * static_cast<float>(i) / static_cast<float>(count - 1) - 1;
    // Neighbours in pitch stand on opposite sides, mirrored, so that both channels hold the whole spread and balance.
    const float side = std::min(i, count - 1 - i) % 2 == 0 ? x : -x;
    all.push_back({.wave = wave,
                   .semitones = semitones,
                   .cents = x * cents,
                   .level = level / std::sqrt(static_cast<float>(count)),
                   .pan = side * width});
  }
  return all;
}

std::unique_ptr<Voice> MakeSubtractive(const SubtractiveSpec& spec, const NoteInfo& note) {
  return std::make_unique<SubtractiveVoice>(spec, note);
}

}  // namespace grym::synth
