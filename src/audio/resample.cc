// One buffer at another rate or with other channels.
#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "audio/stream_resampler.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {

absl::StatusOr<AudioBuffer> Resample(const AudioBuffer& audio, int rate_hz, ResampleQuality quality,
                                     const RunOptions& run) {
  if (rate_hz == audio.rate_hz()) return audio;
  GRYM_ASSIGN_OR_RETURN(StreamResampler resampler,
                        StreamResampler::Create(audio.channels(), audio.rate_hz(), rate_hz, quality));
  GRYM_ASSIGN_OR_RETURN(
      AudioBuffer result,
      AudioBuffer::Create(audio.channels(), ResampledFrames(audio.frames(), audio.rate_hz(), rate_hz), rate_hz));
  ProgressReporter progress(run);
  int64_t written = 0;
  const auto put = [&](const AudioBuffer& block) {
    for (int c = 0; c < audio.channels(); ++c) {
      const auto from = block.channel(c);
      std::copy(from.begin(), from.end(), result.mutable_channel(c).begin() + written);
    }
    written += block.frames();
  };
  constexpr int64_t kBlockFrames = 16384;  // the best converter needs some 10 ms for it
  for (int64_t start = 0; start < audio.frames(); start += kBlockFrames) {
    progress.Report(static_cast<double>(start) / static_cast<double>(audio.frames()), "resample");
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, resampler.Push(audio.Slice(start, kBlockFrames)));
    put(block);
  }
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer rest, resampler.Finish());
  put(rest);
  return result;
}

}  // namespace grym
