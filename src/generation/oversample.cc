#include "generation/oversample.h"

#include <algorithm>
#include <cmath>

#include "audio/stream_resampler.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kDecimatedBlock = 16384;

// To exactly `frames` at `rate_hz`, block by block, so that a call can be cancelled.
absl::StatusOr<AudioBuffer> Decimate(const AudioBuffer& audio, int rate_hz, int64_t frames, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(StreamResampler resampler,
                        StreamResampler::Create(audio.channels(), audio.rate_hz(), rate_hz, ResampleQuality::kBest));
  GRYM_ASSIGN_OR_RETURN(AudioBuffer made, AudioBuffer::Create(audio.channels(), frames, rate_hz));
  int64_t at = 0;
  const auto take = [&](const AudioBuffer& block) {
    const int64_t count = std::min(block.frames(), frames - at);
    for (int c = 0; c < made.channels(); ++c)
      std::copy_n(block.channel(c).begin(), count, made.mutable_channel(c).begin() + at);
    at += count;
  };
  for (int64_t start = 0; start < audio.frames(); start += kDecimatedBlock) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block,
                          resampler.Push(audio.Slice(start, std::min(kDecimatedBlock, audio.frames() - start))));
    take(block);
  }
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer rest, resampler.Finish());
  take(rest);
  return made;
}

}  // namespace

absl::StatusOr<Rendered> RenderOversampled(const Score& score, const RunOptions& run, bool keep_stems) {
  Score doubled = score;
  doubled.rate_hz = 2 * score.rate_hz;
  const RunOptions render_run = PartOf(run, 0, 0.8);
  GRYM_ASSIGN_OR_RETURN(Rendered rendered, RenderScore(doubled, render_run, keep_stems));
  const int64_t frames = std::llround(score.duration_s * score.rate_hz);
  GRYM_ASSIGN_OR_RETURN(rendered.mix, Decimate(rendered.mix, score.rate_hz, frames, run));
  for (Stem& stem : rendered.stems) {
    GRYM_ASSIGN_OR_RETURN(stem.audio, Decimate(stem.audio, score.rate_hz, frames, run));
  }
  return rendered;
}

}  // namespace grym
