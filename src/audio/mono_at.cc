#include "audio/mono_at.h"

#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {

absl::StatusOr<AudioBuffer> MonoAt(const AudioBuffer& audio, int rate_hz, const std::string& where,
                                   const RunOptions& run) {
  if (audio.empty()) return Error(absl::StatusCode::kInvalidArgument, "no_frames", where + ": want frames, got none");
  AudioBuffer mono = audio;
  mono.ReplaceNonFinite();  // before the mix: one sample that is no number would take the others with it
  if (mono.channels() > 1) mono = mono.ToMono();
  if (mono.rate_hz() == rate_hz) return mono;
  return Resample(mono, rate_hz, ResampleQuality::kBest, run);
}

}  // namespace grym
