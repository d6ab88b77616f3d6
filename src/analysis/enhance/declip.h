// Rebuilds clipped peaks.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

// Replaces what FindClippedRuns finds, or where a resampler or a codec went over it since what FindFlatTops finds, by
// the most predictable continuation that does not fall below the clipping level: least squares over an autoregressive
// model of order 36, model and samples estimated in turns.
// Source: Janssen, Veldhuis, Vries 1986, "Adaptive interpolation of discrete-time signals that can be modeled as
// autoregressive processes". Differs: samples that come out below the level they were clipped at are held there and
// the rest is solved again, since clipping only ever takes away.
// `amount` in [0, 1] is how far to go from the clipped to the rebuilt sample. Peaks may pass full scale: the caller
// makes room. change_db: how far the highest peak rose.
absl::StatusOr<EnhanceStage> Declip(AudioBuffer& audio, double amount, const RunOptions& run = {});

}  // namespace grym
