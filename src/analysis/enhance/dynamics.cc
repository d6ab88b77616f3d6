#include "analysis/enhance/dynamics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kPassageBlockS = 0.05;
constexpr int kPassageReach = 4;            // blocks on either side: 450 ms
constexpr double kOutlierDb = 8;
constexpr double kHeardBelowPeakDb = 40;    // softer passages are pauses
constexpr double kNarrowestDb = -50, kNarrowDb = -20, kWidenToDb = -16, kMostWidenDb = 6;

absl::StatusOr<std::vector<float>> BlockPowers(const AudioBuffer& audio, int64_t block, const RunOptions& run) {
  std::vector<float> powers;
  for (int64_t start = 0; start < audio.frames(); start += block) {
    if (powers.size() % 16 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const int64_t count = std::min(block, audio.frames() - start);
    double sum = 0;
    for (int c = 0; c < audio.channels(); ++c) {
      for (const float sample : audio.channel(c).subspan(static_cast<size_t>(start), static_cast<size_t>(count))) {
        sum += static_cast<double>(sample) * sample;
      }
    }
    powers.push_back(static_cast<float>(sum / static_cast<double>(count * audio.channels())));
  }
  return powers;
}

}  // namespace

absl::StatusOr<EnhanceStage> TameOutliers(AudioBuffer& audio, double amount, const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "dynamics";
  const int64_t block = std::max<int64_t>(1, std::llround(kPassageBlockS * audio.rate_hz()));
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> powers, BlockPowers(audio, block, run));
  const std::vector<float> passages = MovingMean(powers, kPassageReach, kPassageReach);
  const float loudest = passages.empty() ? 0.0f : *std::max_element(passages.begin(), passages.end());
  if (loudest < 1e-10f) {
    stage.text = "silence";
    return stage;
  }
  std::vector<float> heard;
  for (const float power : passages) {
    if (power > loudest * PowerOfDb(-kHeardBelowPeakDb)) heard.push_back(power);
  }
  const double middle_db = DbOfPower(Median(heard));
  std::vector<float> gain_db;
  for (const float power : passages) {
    const double beyond = std::max(0.0, DbOfPower(power) - middle_db - kOutlierDb);
    gain_db.push_back(static_cast<float>(-0.5 * amount * beyond));
  }
  gain_db = MovingMean(gain_db, kPassageReach / 2, kPassageReach / 2);
  const double most = *std::min_element(gain_db.begin(), gain_db.end());
  const double over_db = DbOfPower(loudest) - middle_db;
  if (most > -0.1) {
    stage.text = Formatted("loudest passage %.1f dB above the middle: nothing jumps out", over_db);
    return stage;
  }
  for (int64_t n = 0; n < audio.frames(); ++n) {
    if (n % (1 << 15) == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const double place = static_cast<double>(n) / static_cast<double>(block) - 0.5;
    const auto low = static_cast<size_t>(std::max(0.0, std::floor(place)));
    const size_t high = std::min(low + 1, gain_db.size() - 1);
    const double part = std::clamp(place - static_cast<double>(low), 0.0, 1.0);
    const double now_db = gain_db[low] * (1 - part) + gain_db[high] * part;
    if (now_db == 0) continue;
    const auto gain = static_cast<float>(GainOfDb(now_db));
    for (int c = 0; c < audio.channels(); ++c) audio.mutable_channel(c)[static_cast<size_t>(n)] *= gain;
  }
  stage.applied = true;
  stage.change_db = most;
  stage.text = Formatted("loudest passage %.1f -> %.1f dB above the middle", over_db, over_db + most);
  return stage;
}

StereoFacts MeasureStereo(const AudioBuffer& audio) {
  StereoFacts facts;
  facts.side_db = kMinusInfinityDb;
  if (audio.channels() != 2) return facts;
  const std::span<const float> left = audio.channel(0), right = audio.channel(1);
  double ll = 0, rr = 0, lr = 0, mid = 0, side = 0;
  for (size_t n = 0; n < left.size(); ++n) {
    const double l = left[n], r = right[n];
    ll += l * l, rr += r * r, lr += l * r;
    mid += (l + r) * (l + r), side += (l - r) * (l - r);
  }
  if (ll + rr < 1e-9) return facts;
  facts.correlation = ll > 0 && rr > 0 ? lr / std::sqrt(ll * rr) : 0;
  facts.side_db = side <= 0 ? kMinusInfinityDb : mid <= 0 ? 120 : DbOfPower(side / mid);
  return facts;
}

absl::StatusOr<EnhanceStage> ShapeStereo(AudioBuffer& audio, double amount, const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "stereo";
  if (audio.channels() != 2) {
    stage.text = audio.channels() == 1 ? "mono" : "more than two channels: left alone";
    return stage;
  }
  const StereoFacts before = MeasureStereo(audio);
  double gain_db = 0;
  if (before.correlation < 0) {
    // With M^2 and S^2 the energies, (M^2 - S^2) / (M^2 + S^2) = 0.1 at S^2 = 0.82 M^2.
    gain_db = std::clamp(DbOfPower(0.82) - before.side_db, -12.0, 0.0);
  } else if (before.side_db > kNarrowestDb && before.side_db < kNarrowDb) {
    gain_db = std::min(kMostWidenDb, kWidenToDb - before.side_db);
  }
  gain_db *= amount;
  if (std::abs(gain_db) < 0.1) {
    stage.text = before.side_db <= kNarrowestDb
                     ? "mono in two channels"
                     : Formatted("side %.1f dB, correlation %.2f", before.side_db, before.correlation);
    return stage;
  }
  const auto gain = static_cast<float>(GainOfDb(gain_db));
  const std::span<float> left = audio.mutable_channel(0), right = audio.mutable_channel(1);
  for (size_t n = 0; n < left.size(); ++n) {
    if (n % (1 << 16) == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const float mid = 0.5f * (left[n] + right[n]), side = 0.5f * gain * (left[n] - right[n]);
    left[n] = mid + side;
    right[n] = mid - side;
  }
  const StereoFacts after = MeasureStereo(audio);
  stage.applied = true;
  stage.change_db = gain_db;
  stage.text = Formatted("side %.1f -> %.1f dB, correlation %.2f -> %.2f", before.side_db, after.side_db,
                               before.correlation, after.correlation);
  return stage;
}

}  // namespace grym
