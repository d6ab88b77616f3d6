#include "analysis/analyze.h"

#include <algorithm>
#include <array>

#include "analysis/ears.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kBlockFrames = 32768;

void PushInPieces(Ears& ears, const AudioBuffer& block) {
  std::array<const float*, AudioBuffer::kMaxChannels> channels;
  const auto count = static_cast<size_t>(block.channels());
  for (int64_t at = 0; at < block.frames(); at += Ears::kMostFrames) {
    for (size_t c = 0; c < count; ++c) channels[c] = block.channel(static_cast<int>(c)).data() + at;
    ears.Push({channels.data(), count}, std::min(Ears::kMostFrames, block.frames() - at));
  }
}

}  // namespace

absl::StatusOr<AudioFeatures> AnalyzeSource(BlockSource& source, const RunOptions& run) {
  if (source.rate_hz() < AudioBuffer::kMinRateHz) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_rate",
        Formatted("analyse: want a rate of at least %d Hz, got %d", AudioBuffer::kMinRateHz, source.rate_hz()));
  }
  ProgressReporter progress(run);
  AudioFeatures features;
  features.rate_hz = source.rate_hz();
  features.channels = source.channels();
  Ears ears(source.channels(), source.rate_hz());
  while (true) {
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, source.Read(kBlockFrames));
    if (block.frames() == 0) break;
    PushInPieces(ears, block);
    features.frames += block.frames();
    if (source.frames() > 0) {
      progress.Report(0.78 * static_cast<double>(features.frames) / static_cast<double>(source.frames()), "listen");
    }
  }
  if (features.frames == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                 "analyse: want at least one frame, got an empty recording");
  }
  features.duration_s = static_cast<double>(features.frames) / features.rate_hz;
  features.condition.replaced_samples = source.replaced_samples();
  GRYM_RETURN_IF_ERROR(ears.Finish(features, progress));
  progress.Report(1, "done");
  return features;
}

}  // namespace grym
