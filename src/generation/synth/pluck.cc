#include "generation/synth/pluck.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "generation/synth/filters.h"

namespace grym::synth {
namespace {

constexpr int kLoopMargin = 8;   // room for the interpolator and the loss filter around the read position

constexpr int kMostSpread = 2;

// The loop: y[n] = x[n] + rho * (a u[n-1] + (1 - 2a) u[n] + a u[n+1]) with u a third-order Lagrange read at the period.
// The loss filter is symmetric, so its delay is exactly zero around the read point and the pitch is the period alone;
// reads lie behind the block that is written, so a block is computed without a recursion inside it. At twice 44.1 kHz
// the loss filter's taps lie twice as far apart, so that a string loses as much a period at every rate.
class PluckVoice : public Voice {
 public:
  PluckVoice(const PluckSpec& spec, const NoteInfo& note)
      : rate_(note.rate_hz),
        gate_(note.gate_blocks),
        curve_(spec.pitch, PitchToHz(note.pitch), note.glide_from, 0, note.rate_hz) {
    Random random(note.seed);
    spread_ = std::clamp(static_cast<int>(std::lround(rate_ / 44100)), 1, kMostSpread);
    const double lowest_hz =
        PitchToHz(note.pitch + std::min(0.0f, note.glide_from) - spec.pitch.vibrato_cents / 100.0 - 0.1);
    size_t size = 64;
    while (size < static_cast<size_t>(rate_ / lowest_hz) + 2 * kBlockFrames + 2 * kLoopMargin) size *= 2;
    line_.assign(size, 0);
    mask_ = size - 1;
    hz_ = PitchToHz(note.pitch);
    const float octave = static_cast<float>((note.pitch - 60) / 12);
    const float decay_s = spec.decay_s * std::exp2(-spec.decay_track * octave);
    rho_ = static_cast<float>(std::pow(10.0, -3.0 / (hz_ * decay_s)));
    // High partials lose as much a second whatever the pitch: the loss per period shrinks as the period does.
    damping_ = std::clamp(spec.damping * std::exp2(-0.75f * octave), 0.002f, 0.25f);
    release_rho_ = static_cast<float>(std::pow(10.0, -3.0 / (hz_ * std::max(0.02f, spec.release_s))));
    Excite(spec, note, random);
    const auto place = static_cast<float>(random.Uniform(-1, 1)) * spec.width;
    left_ = std::sqrt(1 - place);
    right_ = std::sqrt(1 + place);
    thump_ = spec.thump * note.velocity;
    thump_step_ = 6.2831853f * spec.thump_hz / rate_;
    thump_decay_ = std::exp(-kBlockFrames / (0.05f * rate_));
  }

  bool Render(const VoiceModulation&, Block& out) override {
    const bool gate = gate_-- > 0;
    const auto period = static_cast<float>(rate_ / curve_.Advance());
    const float rho = gate ? rho_ : std::min(rho_, release_rho_);
    alignas(32) float block[kBlockFrames];
    const int most = std::max(4, std::min(kBlockFrames, static_cast<int>(period) - 3 - spread_));
    for (int done = 0; done < kBlockFrames; done += most)
      RunLoop(period, rho, std::min(most, kBlockFrames - done), block + done);
    float peak = 0;
    for (const float x : block) peak = std::max(peak, std::abs(x));
    if (thump_ > 1e-4f) AddThump(block);
    for (int i = 0; i < kBlockFrames; ++i) {
      out.left[i] += left_ * block[i];
      out.right[i] += right_ * block[i];
    }
    quiet_blocks_ = peak < 3e-5f ? quiet_blocks_ + 1 : 0;
    return quiet_blocks_ * kBlockFrames < rate_ / 10 || pending_ > 0;
  }

 private:
  // One period of noise or pulse, low-passed by velocity, comb-filtered by the pick position, free of DC.
  void Excite(const PluckSpec& spec, const NoteInfo& note, Random& random) {
    const auto period = static_cast<int>(std::lround(rate_ / hz_));
    const int length = std::max(8, period);
    std::vector<float> raw(static_cast<size_t>(length));
    for (int i = 0; i < length; ++i) {
      const float pulse = i < std::max(2, length / 12) ? 2.2f : 0.0f;
      raw[static_cast<size_t>(i)] = spec.noise * static_cast<float>(random.Uniform(-1, 1)) + (1 - spec.noise) * pulse;
    }
    const float brightness = spec.pick_hz * std::exp2(1.8f * (note.velocity - 0.8f) + 1.2f * note.detail);
    const float pole = std::exp(-6.2831853f * std::min(brightness, 0.45f * rate_) / rate_);
    float low1 = 0, low2 = 0;
    for (int pass = 0; pass < 2; ++pass) {  // twice round, so that the filter's state is that of a periodic input
      for (float& x : raw) {
        low1 += (1 - pole) * (x - low1);
        low2 += (1 - pole) * (low1 - low2);
        if (pass == 1) x = low2;
      }
    }
    const auto offset =
        static_cast<size_t>(std::max(1, static_cast<int>(static_cast<float>(length) * spec.pick_position)));
    excitation_.resize(raw.size());
    double sum = 0, power = 0;
    for (size_t i = 0; i < raw.size(); ++i) {
      excitation_[i] = raw[i] - 0.9f * raw[(i + raw.size() - offset) % raw.size()];
    }
    // A finger lets go in half a millisecond, not in one sample.
    const size_t rise = std::min<size_t>(static_cast<size_t>(24 * spread_), raw.size() / 3);
    for (size_t i = 0; i < rise; ++i) excitation_[i] *= static_cast<float>(i) / static_cast<float>(rise);
    for (const float x : excitation_) sum += x;
    const auto mean = static_cast<float>(sum / length);
    for (size_t i = 0; i < raw.size(); ++i) {
      excitation_[i] -= mean * (i < rise ? static_cast<float>(i) / static_cast<float>(rise) : 1);
      power += static_cast<double>(excitation_[i]) * excitation_[i];
    }
    // The same strength for every draw of noise; softer notes are also duller, so they lose less to loudness alone.
    const auto gain = static_cast<float>(0.35 * std::pow(note.velocity, 1.2) / std::sqrt(power / length + 1e-12));
    for (float& x : excitation_) x *= gain;
    pending_ = length;
  }

  void RunLoop(float period, float rho, int frames, float* out) {
    // Lagrange weights for a read `period` behind the write: taps at whole + {-1, 0, 1, 2}.
    const auto whole = static_cast<int>(period);
    const float d = period - static_cast<float>(whole);
    const float l0 = -d * (d - 1) * (d - 2) / 6, l1 = (d + 1) * (d - 1) * (d - 2) / 2;
    const float l2 = -(d + 1) * d * (d - 2) / 2, l3 = (d + 1) * d * (d - 1) / 6;
    const float a = damping_, b = 1 - 2 * damping_;
    // Loss filter and interpolator as one kernel of six (or eight) taps; k[j] weighs delay whole - 1 - spread_ + j.
    float k[4 + 2 * kMostSpread] = {};
    const float l[4] = {l0, l1, l2, l3};
    for (int i = 0; i < 4; ++i) {
      k[i] += rho * a * l[i];
      k[i + spread_] += rho * b * l[i];
      k[i + 2 * spread_] += rho * a * l[i];
    }
    const int taps = 4 + 2 * spread_;
    alignas(32) float window[kBlockFrames + kLoopMargin];
    const size_t start = write_ + line_.size() - static_cast<size_t>(whole) - static_cast<size_t>(taps / 2);
    for (int i = 0; i < frames + taps - 1; ++i) window[i] = line_[(start + static_cast<size_t>(i)) & mask_];
    if (taps == 6) Convolve<6>(k, window, frames, out);
    else Convolve<8>(k, window, frames, out);
    if (pending_ > 0) {
      const size_t from = excitation_.size() - static_cast<size_t>(pending_);
      const int count = std::min(frames, pending_);
      for (int i = 0; i < count; ++i) out[i] += excitation_[from + static_cast<size_t>(i)];
      pending_ -= count;
    }
    for (int i = 0; i < frames; ++i) line_[(write_ + static_cast<size_t>(i)) & mask_] = out[i];
    write_ = (write_ + static_cast<size_t>(frames)) & mask_;
  }

  // out[i] = sum over j of k[j] * window[i + kTaps - 1 - j].
  template <int kTaps>
  static void Convolve(const float* k, const float* window, int frames, float* out) {
    for (int i = 0; i < frames; ++i) {
      float sum = 0;
      for (int j = kTaps - 1; j >= 0; --j) sum += k[j] * window[i + kTaps - 1 - j];
      out[i] = sum;
    }
  }

  void AddThump(float* block) {
    const float next = thump_ * thump_decay_;
    const float step = (next - thump_) * kBlockStep;
    for (int i = 0; i < kBlockFrames; ++i) {
      block[i] += (thump_ + step * static_cast<float>(i)) * std::sin(thump_phase_);
      thump_phase_ += thump_step_;
    }
    thump_ = next;
  }

  float rate_;
  int64_t gate_;
  PitchCurve curve_;
  double hz_ = 440;
  std::vector<float> line_, excitation_;
  size_t mask_ = 0, write_ = 0;
  int pending_ = 0, quiet_blocks_ = 0, spread_ = 1;
  float rho_ = 1, release_rho_ = 1, damping_ = 0.1f;
  float left_ = 1, right_ = 1;
  float thump_ = 0, thump_phase_ = 0, thump_step_ = 0, thump_decay_ = 0;
};

}  // namespace

std::unique_ptr<Voice> MakePluck(const PluckSpec& spec, const NoteInfo& note) {
  return std::make_unique<PluckVoice>(spec, note);
}

}  // namespace grym::synth
