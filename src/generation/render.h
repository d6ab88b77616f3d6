// Plays a score: stereo audio before mastering, and one stem for each name in it.
#pragma once
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "generation/score.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"

namespace grym {

struct Rendered {
  AudioBuffer mix;  // before mastering: stereo, score.rate_hz, round(score.duration_s * rate_hz) frames
  std::vector<Stem>
      stems;  // in the order of first appearance; each with its own reverb and echoes; their sum is the mix
  int64_t peak_bytes = 0;  // of buffers held at once
};

// Notes start on the nearest 32-frame block, at most 0.4 ms from their time. Automation: "gain_db" is added to the
// part's gain, "cutoff" multiplies its filter, "pan" and "reverb_db" replace the part's own. Same score, same bytes.
// `keep_stems` false saves their memory. Progress stage "render".
// Errors: InvalidArgument "bad_score", "bad_part", "bad_note", "unknown_patch", "unknown_setting", "bad_setting",
// "unknown_drum_key", "unknown_automation"; Cancelled within one block of 32 frames.
absl::StatusOr<Rendered> RenderScore(const Score& score, const RunOptions& run = {}, bool keep_stems = true);

}  // namespace grym
