#include "generation/master.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/enhance/limiter.h"
#include "analysis/enhance/loudness_gain.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "dsp/biquad.h"
#include "generation/synth/filters.h"
#include "generation/synth/flush_denormals.h"
#include "generation/synth/steady_svf.h"

namespace grym {
namespace {

using synth::Block;
using synth::kBlockFrames;

constexpr double kWorkingDb = -20;  // what the compressor and the saturation are set for
constexpr double kMostGainDb = 40;  // a whisper is not turned into noise
constexpr double kFadeS = 0.025;
constexpr double kShortPieceS = 0.25;

absl::Status CheckMastering(const AudioBuffer& mix, const Mastering& m) {
  const auto bad = [](const char* field, double value) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_mastering",
                 Formatted("mastering: %s is %g, which is out of range", field, value));
  };
  if (!(m.target_lufs >= -60 && m.target_lufs <= -5)) return bad("target_lufs", m.target_lufs);
  if (!(m.true_peak_dbtp >= -30 && m.true_peak_dbtp <= 0)) return bad("true_peak_dbtp", m.true_peak_dbtp);
  if (!(std::abs(m.tilt_db) <= 24)) return bad("tilt_db", m.tilt_db);
  if (!(m.glue >= 0 && m.glue <= 1)) return bad("glue", m.glue);
  if (!(m.width >= 0 && m.width <= 2)) return bad("width", m.width);
  if (!(m.warmth >= 0 && m.warmth <= 1)) return bad("warmth", m.warmth);
  if (mix.channels() > 2 || mix.empty()) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_audio",
        Formatted("mastering: want 1 or 2 channels with frames, got %d with %d", mix.channels(), mix.frames()));
  }
  for (const float x : mix.planar()) {
    if (!std::isfinite(x))
      return Error(absl::StatusCode::kInvalidArgument, "bad_audio", "mastering: want finite samples");
  }
  return absl::OkStatus();
}

// Feed-forward, linked, soft knee, RMS detector that does not hear below 90 Hz, so that the kick does not pump the
// rest. Source: Giannoulis, Massberg, Reiss, "Digital Dynamic Range Compressor Design", JAES 2012, section 2.
class GlueCompressor {
 public:
  GlueCompressor(float amount, float rate_hz)
      : amount_(amount),
        detector_{DetectorFor(rate_hz), DetectorFor(rate_hz)},
        attack_(1 - std::exp(-kBlockFrames / (0.025f * rate_hz))),
        release_(1 - std::exp(-kBlockFrames / (0.18f * rate_hz))) {}

  void Run(int channels, Block& io) {
    if (amount_ == 0) return;
    float power = 0;
    float* const lanes[2] = {io.left, io.right};
    for (int c = 0; c < channels; ++c) {
      alignas(32) float heard[kBlockFrames];
      std::copy_n(lanes[c], kBlockFrames, heard);
      detector_[c].Run(heard);
      for (const float x : heard) power += x * x;
    }
    power_ += 0.12f * (power / static_cast<float>(kBlockFrames * channels) - power_);
    const float over = 10 * std::log10(power_ + 1e-12f) - kThresholdDb;
    float down_db = 0;
    if (over > kKneeDb / 2)
      down_db = over * kSlope;
    else if (over > -kKneeDb / 2)
      down_db = kSlope * (over + kKneeDb / 2) * (over + kKneeDb / 2) / (2 * kKneeDb);
    down_db_ += (down_db > down_db_ ? attack_ : release_) * (down_db - down_db_);
    const float gain = std::pow(10.0f, -0.05f * amount_ * down_db_);
    for (int c = 0; c < channels; ++c) synth::ScaleRamped(gain_, gain, lanes[c]);
    gain_ = gain;
  }

 private:
  static synth::SteadySvf DetectorFor(float rate_hz) {
    return synth::SteadySvf::High(synth::SvfCoefficients::Of(90, 0.7071f, rate_hz));
  }
  static constexpr float kThresholdDb = -25, kKneeDb = 10, kSlope = 0.6f;  // ratio 2.5 at full amount
  float amount_;
  synth::SteadySvf detector_[2];
  float attack_, release_, power_ = 0, down_db_ = 0, gain_ = 1;
};

class MasterChain {
 public:
  MasterChain(const Mastering& m, int channels, int rate_hz, double gain_db)
      : mastering_(m),
        channels_(channels),
        gain_(static_cast<float>(std::pow(10.0, gain_db / 20))),
        glue_(m.glue, static_cast<float>(rate_hz)),
        dc_pole_(std::exp(-6.2831853f * 5 / static_cast<float>(rate_hz))) {
    for (size_t c = 0; c < 2; ++c) {
      high_pass_[c].Set(BiquadCoefficients::HighPass(rate_hz, 25));
      low_shelf_[c].Set(BiquadCoefficients::LowShelf(rate_hz, 300, -0.5 * m.tilt_db, 0.7));
      high_shelf_[c].Set(BiquadCoefficients::HighShelf(rate_hz, 3000, 0.5 * m.tilt_db, 0.7));
      clip_[c].Rest(Drive() * Offset());
    }
  }

  void Run(Block& io) {
    float* const lanes[2] = {io.left, io.right};
    for (int c = 0; c < channels_; ++c) {
      const auto k = static_cast<size_t>(c);
      for (int i = 0; i < kBlockFrames; ++i) lanes[c][i] *= gain_;
      high_pass_[k].Process({lanes[c], kBlockFrames});
      if (mastering_.tilt_db == 0) continue;
      low_shelf_[k].Process({lanes[c], kBlockFrames});
      high_shelf_[k].Process({lanes[c], kBlockFrames});
    }
    glue_.Run(channels_, io);
    if (mastering_.warmth > 0) Saturate(lanes);
    if (channels_ == 2 && mastering_.width != 1) Widen(io);
    dc_.Run(dc_pole_, io.left, io.right);
  }

 private:
  float Drive() const { return 0.7f + 1.3f * mastering_.warmth; }
  float Offset() const { return 0.12f * mastering_.warmth; }
  // A little off centre, for even harmonics. What the offset makes of silence is taken away again; the DC that it makes
  // of sound is left to the blocker.
  void Saturate(float* const lanes[2]) {
    const float drive = Drive(), offset = Offset(), rest = synth::SoftClip::Curve(drive * offset) / drive;
    for (int c = 0; c < channels_; ++c) {
      for (int i = 0; i < kBlockFrames; ++i) lanes[c][i] += offset;
      clip_[c].Run(drive, 1 / drive, lanes[c]);
      for (int i = 0; i < kBlockFrames; ++i) lanes[c][i] -= rest;
    }
  }
  void Widen(Block& io) const {
    for (int i = 0; i < kBlockFrames; ++i) {
      const float mid = 0.5f * (io.left[i] + io.right[i]), side = 0.5f * mastering_.width * (io.left[i] - io.right[i]);
      io.left[i] = mid + side;
      io.right[i] = mid - side;
    }
  }

  const Mastering mastering_;
  int channels_;
  float gain_;
  std::array<Biquad, 2> high_pass_, low_shelf_, high_shelf_;
  GlueCompressor glue_;
  synth::SoftClip clip_[2];
  synth::DcBlock dc_;
  float dc_pole_;
};

void FadeEnd(AudioBuffer& audio) {
  const int64_t count = std::min(audio.frames(), static_cast<int64_t>(kFadeS * audio.rate_hz()));
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<float> tail = audio.mutable_channel(c).subspan(static_cast<size_t>(audio.frames() - count));
    for (size_t i = 0; i < tail.size(); ++i) {
      tail[i] *= static_cast<float>(
          0.5 + 0.5 * std::cos(3.141592653589793 * static_cast<double>(i + 1) / static_cast<double>(count)));
    }
  }
}

// A piece of a few periods of its bass has a mean that no filter takes away: what is left is subtracted under a Hann
// window, so that the ends stay where they are.
void CentreShortPiece(AudioBuffer& audio) {
  if (audio.duration_s() >= kShortPieceS) return;
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<float> samples = audio.mutable_channel(c);
    double sum = 0;
    for (const float x : samples) sum += x;
    const double mean = sum / static_cast<double>(samples.size()),
                 step = 6.283185307179586 / static_cast<double>(samples.size());
    for (size_t i = 0; i < samples.size(); ++i)  // the window's mean is a half
      samples[i] -= static_cast<float>(mean * (1 - std::cos(step * (static_cast<double>(i) + 0.5))));
  }
}

// Power of what is above 100 Hz, over the tenths of a second that are within 15 dB of the loudest; -infinity for
// silence. Good to 2 dB as a loudness, which is enough to choose a working level, at a tenth of a meter's cost.
double WorkingLevelDb(const AudioBuffer& audio) {
  const auto block = static_cast<size_t>(audio.rate_hz() / 10);
  const float pole = 1 - std::exp(-6.2831853f * 100 / static_cast<float>(audio.rate_hz()));
  std::vector<double> powers(static_cast<size_t>(audio.frames()) / block + 1);
  for (int c = 0; c < audio.channels(); ++c) {
    float low = 0;
    const std::span<const float> samples = audio.channel(c);
    for (size_t start = 0, k = 0; start < samples.size(); start += block, ++k) {
      float sum = 0;
      for (const float x : samples.subspan(start, std::min(block, samples.size() - start))) {
        low += pole * (x - low);
        sum += (x - low) * (x - low);
      }
      powers[k] += sum / static_cast<float>(block);
    }
  }
  const double loudest = *std::max_element(powers.begin(), powers.end());
  double sum = 0;
  int count = 0;
  for (const double power : powers) {
    if (power * 31.6 < loudest || power == 0) continue;
    sum += power;
    ++count;
  }
  return count == 0 ? -std::numeric_limits<double>::infinity() : 10 * std::log10(sum / count);
}

// Mostly one gain and a limiter that has little to do; only where it had more is the loudness measured again.
absl::Status BringToTarget(AudioBuffer& audio, const Mastering& m, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const double lufs, IntegratedLufs(audio, run));
  if (!std::isfinite(lufs)) return GainToLoudness(audio, m.target_lufs, m.true_peak_dbtp, run).status();
  const auto gain = static_cast<float>(std::pow(10.0, std::min(m.target_lufs - lufs, 2 * kMostGainDb) / 20));
  for (float& x : audio.mutable_planar()) x *= gain;
  GRYM_ASSIGN_OR_RETURN(const LimiterReport limited, LimitTruePeak(audio, m.true_peak_dbtp, run));
  if (limited.limited_share * limited.max_reduction_db < 0.25) return absl::OkStatus();
  return GainToLoudness(audio, m.target_lufs, m.true_peak_dbtp, run).status();
}

absl::Status RunChain(MasterChain& chain, AudioBuffer& audio, const ProgressReporter& progress) {
  const synth::FlushDenormals flush;
  const std::span<float> left = audio.mutable_channel(0), right = audio.mutable_channel(audio.channels() - 1);
  for (size_t start = 0; start < left.size(); start += kBlockFrames) {
    if (start % (1024 * kBlockFrames) == 0) GRYM_RETURN_IF_ERROR(progress.Check());
    const size_t count = std::min<size_t>(kBlockFrames, left.size() - start);
    Block block;
    block.Clear();
    std::copy_n(&left[start], count, block.left);
    std::copy_n(&right[start], count, block.right);
    chain.Run(block);
    if (audio.channels() == 2) std::copy_n(block.right, count, &right[start]);
    std::copy_n(block.left, count, &left[start]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AudioBuffer> MasterMix(const AudioBuffer& mix, const Mastering& mastering, const RunOptions& run) {
  GRYM_RETURN_IF_ERROR(CheckMastering(mix, mastering));
  ProgressReporter progress(run);
  progress.Report(0, "master");
  const double level_db = WorkingLevelDb(mix);
  AudioBuffer audio = mix;
  const double gain_db = std::min(kWorkingDb - level_db, kMostGainDb);
  if (std::isfinite(level_db)) {  // the saturation's offset must not be put on silence
    MasterChain chain(mastering, mix.channels(), mix.rate_hz(), gain_db);
    GRYM_RETURN_IF_ERROR(RunChain(chain, audio, progress));
  }
  FadeEnd(audio);
  CentreShortPiece(audio);
  progress.Report(0.4, "master");
  GRYM_RETURN_IF_ERROR(BringToTarget(audio, mastering, run));
  progress.Report(1, "master");
  return audio;
}

}  // namespace grym
