// An enhanced take of a recording: the recording cleaned, and quiet composed parts that follow its beats, key and form.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"

namespace grym {

// What preserve_original_characteristics keeps, measured between the recording and the take:
// - tempo: exactly, since time is never stretched; parts lie on the recording's own beats;
// - key: exactly; parts are tuned to the recording and use its chords or its key's fifth alone;
// - spectral balance: every octave band within kHeardBandDb of the strongest stays within kKeptBandDb of what it was,
//   each relative to its whole; softer bands may fill up to kHeardBandDb below the strongest.
// (kKeptBandDb 3 dB and kHeardBandDb 30 dB: part_levels.h.) Only a repair that itself changes more goes beyond, and
// says so.
//
// 44.1 kHz stereo, as long as the reference (the request's duration is not used).
// enhancement_level: 0 cleans alone (a clean recording at 44.1 kHz stereo comes back bit for bit, unless a loudness is
// asked for); above 0 parts are added, together 15 LU below the recording just above 0, 10 LU at 0.5 (clearly heard
// behind it), 5 LU at 1 (as loud as it bears), and in every octave band 6 .. 4 .. 2 dB below it where its balance is
// kept. Focus areas let the parts step back by 2 to 4 dB. Parts are added where the tempo is known; chords where they
// are heard clearly, else a drone on the key, else percussion alone; speech, silence and free time are only cleaned,
// with a warning. Errors: those of the file; InvalidArgument for an empty reference.
absl::StatusOr<GenerateAudioResult> MakeEnhancedTake(const GenerateAudioRequest& request, const RunOptions& run);

}  // namespace grym
