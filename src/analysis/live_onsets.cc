#include "analysis/live_onsets.h"

#include <algorithm>
#include <cmath>

#include "analysis/spectral_stream.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kFluxHz = static_cast<double>(kAnalysisRateHz) / SpectralStream::kHop;
constexpr double kAttackHz = static_cast<double>(kAnalysisRateHz) / SpectralStream::kAttackHop;
constexpr int kFluxMeanFrames = 30, kRestlessFrames = 172, kRestlessEvery = 11;  // 0.17 s, 1 s, 64 ms
constexpr int kLeastRestless = 43;  // 0.25 s
constexpr int64_t kRemembered = 120;  // seconds that thresholds are taken from

}  // namespace

LiveOnsets::LiveOnsets()
    : flux_(2 * kRestlessFrames),
      attack_(static_cast<int64_t>(kAttackHz)),
      level_(static_cast<int64_t>(kAttackHz)),
      strong_(static_cast<int64_t>(kRemembered * kFluxHz)),
      loud_(static_cast<int64_t>(kRemembered * kAttackHz)),
      sorted_(kRestlessFrames) {}

double LiveOnsets::LatestDecision_s() { return (kLookahead + 0.5) / kFluxHz + 0.025; }

void LiveOnsets::HearAttack(float attack_rms, float level_rms) {
  attack_.Push(attack_rms);
  level_.Push(level_rms);
}

bool LiveOnsets::Stands(int64_t frame) {
  const int64_t end = flux_.end();
  // The median of the first few frames would be the first onset itself.
  if (end % kRestlessEvery == 1 && end >= kLeastRestless) {
    const std::span<const float> past = flux_.Between(end - kRestlessFrames, end);
    std::copy(past.begin(), past.end(), sorted_.begin());
    const auto middle = sorted_.begin() + std::ssize(past) / 2;
    std::nth_element(sorted_.begin(), middle, sorted_.begin() + std::ssize(past));
    restless_ = *middle;
  }
  if (frame < 0 || flux_[frame] < flux_.LargestBetween(frame - kLookahead, end)) return false;
  const double threshold = std::max(0.08 * strong_.At(0.98), 0.35);
  return flux_[frame] >= Mean(flux_.Between(end - kFluxMeanFrames, end)) + threshold + restless_;
}

std::optional<double> LiveOnsets::HearFlux(float whole) {
  flux_.Push(whole);
  strong_.Add(whole);
  // As much of the envelope as there is when this frame's last sample is there, however many came with it.
  const int64_t samples = (flux_.end() - 1) * SpectralStream::kHop + SpectralStream::kSize / 2;
  const int64_t heard = std::min(attack_.end(), samples / SpectralStream::kAttackHop);
  for (; heard_ < heard; ++heard_) loud_.Add(level_[heard_]);
  const int64_t frame = flux_.end() - 1 - kLookahead;
  if (!Stands(frame)) return std::nullopt;
  const double shift = frame > 0 ? PeakShift(flux_[frame - 1], flux_[frame], flux_[frame + 1]) : 0;
  const Envelope envelope{attack_.data(), level_.data(), attack_.first(), heard_, kAttackHz};
  const double time = std::max(0.0, RefineByAttack(envelope, (static_cast<double>(frame) + shift) / kFluxHz));
  if (!IsHeard(envelope, time, loud_.At(0.95)) || IsAnEnd(envelope, time)) return std::nullopt;
  if (last_s_ >= 0 && time <= last_s_ + 0.03) return std::nullopt;
  last_s_ = time;
  return time;
}

}  // namespace grym
