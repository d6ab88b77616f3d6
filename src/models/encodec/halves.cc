#include "models/encodec/halves.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/status.h"
#include "models/encodec/session.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

// A day: longer sound takes no more, and its frames need not be counted.
constexpr double kLongestPlan_s = 86'400;

}  // namespace

int64_t EncodecSamplesIn(const EncodecConfig& config, double audio_s) {
  return std::max<int64_t>(1, std::llround(std::clamp(audio_s, 0.0, kLongestPlan_s) *
                                           static_cast<double>(config.sampling_rate)));
}

EncodecHalves::EncodecHalves(Source source) : source_(std::move(source)) {
  if (source_.books == 0) source_.books = source_.config.books();
}

MemoryPlan EncodecHalves::PlanFor(const EncodecWork& work) const {
  const EncodecConfig& config = source_.config;
  MemoryPlan plan;
  plan.device = "cpu";
  plan.budget_bytes = source_.context.budget->limit_bytes();
  plan.enforced_by = source_.context.budget->enforced_by();
  if (work.encode_s > 0) {
    PhasePlan phase;
    phase.component = kEncodecEncoderPart;
    phase.precision = source_.encoder_precision;
    phase.weights_bytes = EncodecEncoder::WeightBytes(config, phase.precision);
    // The session takes the codes block by block: no more than a block's are there at once, and the few that were held
    // back before it.
    constexpr int64_t kHeldBackFrames = 8;
    const int64_t samples = std::min(EncodecSamplesIn(config, work.encode_s),
                                     kCodecBlockSamples + kHeldBackFrames * config.hop());
    phase.working_bytes = source_.streams * EncodecEncoder::WorkingBytes(config, samples) +
                          AllocatedBytes(samples * channels() * 4);
    phase.tiling = Formatted("pieces of %d samples", kEncodecChunkSamples);
    plan.phases.push_back(std::move(phase));
  }
  if (work.decode_frames > 0) {
    PhasePlan phase;
    phase.component = kEncodecDecoderPart;
    phase.precision = source_.decoder_precision;
    phase.weights_bytes = EncodecDecoder::WeightBytes(config, phase.precision);
    // A push answers a copy of what it made, beside the room for it.
    const int64_t frames = std::min(work.decode_frames, kEncodecChunkFrames);
    phase.working_bytes = source_.streams * EncodecDecoder::Stream::BytesFor(config, frames);
    phase.tiling = Formatted("pieces of %d frames", kEncodecChunkFrames);
    plan.phases.push_back(std::move(phase));
  }
  if (!plan.fits() && plan.phases.size() > 1) {
    plan.keep_weights = false;
    plan.levers = {"dropped components after their phase"};
  }
  plan.ignored_fields = config.unknown_fields;
  return plan;
}

template <class Net>
absl::StatusOr<EncodecHalves::Half<Net>> EncodecHalves::HalfFor(const EncodecWork& work,
                                                                const Component<Net>& component,
                                                                const RunOptions& run) const {
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    MemoryPlan plan = PlanFor(work);
    plan.budget_bytes = budget_bytes;
    if (!plan.fits()) return OverBudget("encodec", plan);
    LeaseAsk wanted{source_.id, source_.owner, plan.peak_bytes(), {}, 0};
    component.Claim(wanted);
    return wanted;
  };
  Half<Net> half;
  GRYM_ASSIGN_OR_RETURN(half.lease, source_.context.Lease(ask, run));
  const BudgetScope scope(half.lease);
  GRYM_ASSIGN_OR_RETURN(half.net, TorchGuard("encodec: loading", [&] { return component.Get(run.cancel); }));
  return half;
}

absl::StatusOr<EncodecHalves::Half<EncodecEncoder>> EncodecHalves::Encoder(double audio_s,
                                                                           const RunOptions& run) const {
  return HalfFor({.encode_s = audio_s}, *source_.encoder, run);
}

absl::StatusOr<EncodecHalves::Half<EncodecDecoder>> EncodecHalves::Decoder(int64_t frames,
                                                                           const RunOptions& run) const {
  return HalfFor({.decode_frames = frames}, *source_.decoder, run);
}

}  // namespace grym
