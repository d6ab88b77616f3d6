#include "generation/part_levels.h"

#include <algorithm>
#include <cmath>

namespace grym {
namespace {

constexpr double kMostMakeUpDb = 9, kDeepestCutDb = -36;
constexpr double kFollowWithinLu = 3;
constexpr int kFollowReach = 4;  // points on either side, at 10 Hz
// K weighting of ITU-R BS.1770 at the octave centres, so that a sum over bands is about a loudness.
constexpr std::array<double, 10> kLoudnessWeightDb = {-11, -4, -1, -0.5, -0.3, 0.3, 2.5, 3.8, 4, 4};

double PowerOf(double db) { return std::pow(10, db / 10); }

// Loudness of a spectrum with a gain and cuts, up to a constant.
double WeighedDb(const LongTermSpectrum& parts, const PartFit& fit) {
  double sum = 1e-13;
  for (size_t b = 0; b < 10; ++b)
    sum += PowerOf(parts.octave_db[b] + fit.gain_db + fit.cut_db[b] + kLoudnessWeightDb[b]);
  return 10 * std::log10(sum);
}

}  // namespace

double WorstBandDb(const LongTermSpectrum& before, const LongTermSpectrum& after) {
  const double strongest = *std::max_element(before.octave_db.begin(), before.octave_db.end());
  double worst = 0;
  for (size_t band = 0; band < before.octave_db.size(); ++band) {
    if (before.octave_db[band] < strongest - kHeardBandDb) continue;
    worst = std::max(worst, std::abs(after.octave_db[band] - before.octave_db[band]));
  }
  return worst;
}

double MeanSquareDb(const AudioBuffer& audio) {
  double sum = 1e-12;
  for (const float sample : audio.planar()) sum += static_cast<double>(sample) * sample;
  return 10 * std::log10(sum / static_cast<double>(std::max<size_t>(1, audio.planar().size())));
}

PartFit FitUnder(const LongTermSpectrum& recording, double recording_db, const LongTermSpectrum& parts, double parts_db,
                 double wanted_db, double under_db) {
  PartFit fit;
  fit.gain_db = wanted_db;
  const double strongest = *std::max_element(recording.octave_db.begin(), recording.octave_db.end());
  const double wanted_loudness = WeighedDb(parts, fit);
  for (int round = 0; round < 6; ++round) {
    for (size_t b = 0; b < 10; ++b) {
      const double room = std::max(recording.octave_db[b] - under_db, strongest - kHeardBandDb) + recording_db;
      const double level = parts.octave_db[b] + parts_db + fit.gain_db;
      fit.cut_db[b] = std::clamp(room - level, kDeepestCutDb, 0.0);
    }
    const double missing = wanted_loudness - WeighedDb(parts, fit);
    const double more = std::min(missing, wanted_db + kMostMakeUpDb - fit.gain_db);
    if (more < 0.1 || round == 5) break;
    fit.gain_db += more;
  }
  return fit;
}

absl::Status CutBands(const PartFit& fit, AudioBuffer* audio, const RunOptions& run) {
  if (*std::min_element(fit.cut_db.begin(), fit.cut_db.end()) > -0.1) return absl::OkStatus();
  std::vector<double> centre_hz, gain_db;
  for (size_t b = 0; b < 10; ++b) {
    centre_hz.push_back(31.25 * std::exp2(static_cast<double>(b)));
    gain_db.push_back(fit.cut_db[b]);
  }
  return FilterLinearPhase(*audio, centre_hz, gain_db, run);
}

std::vector<float> FollowGain(const AudioFeatures& features, int64_t frames, int rate_hz) {
  const FrameSeries& momentary = features.loudness.momentary;
  std::vector<double> points(static_cast<size_t>(std::max<int64_t>(1, momentary.frames())), 0.0);
  for (size_t i = 0; i < points.size() && momentary.frames() > 0; ++i) {
    const double relative = momentary.values[i] - features.loudness.integrated_lufs;
    points[i] = std::clamp(std::isfinite(relative) ? relative + kFollowWithinLu : -60.0, -60.0, 0.0);
  }
  std::vector<double> smooth(points.size());
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t from = i > kFollowReach ? i - kFollowReach : 0, until = std::min(points.size(), i + kFollowReach + 1);
    double sum = 0;
    for (size_t k = from; k < until; ++k) sum += points[k];
    smooth[i] = sum / static_cast<double>(until - from);
  }
  std::vector<float> gain(static_cast<size_t>(frames));
  const double rate = momentary.rate_hz > 0 ? momentary.rate_hz : 10;
  for (int64_t i = 0; i < frames; ++i) {
    const double at = std::clamp((static_cast<double>(i) / rate_hz - momentary.start_s) * rate, 0.0,
                                 static_cast<double>(smooth.size() - 1));
    const size_t low = static_cast<size_t>(at), high = std::min(low + 1, smooth.size() - 1);
    const double db = smooth[low] + (at - static_cast<double>(low)) * (smooth[high] - smooth[low]);
    gain[static_cast<size_t>(i)] = static_cast<float>(std::pow(10, db / 20));
  }
  return gain;
}

void ScaleBy(const std::vector<float>& gain, AudioBuffer* audio) {
  for (int c = 0; c < audio->channels(); ++c) {
    const auto samples = audio->mutable_channel(c);
    for (size_t i = 0; i < samples.size() && i < gain.size(); ++i) samples[i] *= gain[i];
  }
}

void AddTimes(const AudioBuffer& from, float gain, AudioBuffer* to) {
  for (int c = 0; c < to->channels(); ++c) {
    const auto in = from.channel(c);
    const auto out = to->mutable_channel(c);
    for (size_t i = 0; i < out.size() && i < in.size(); ++i) out[i] += in[i] * gain;
  }
}

}  // namespace grym
