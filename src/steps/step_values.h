// Reading what earlier steps answered, and writing audio where a result can name it.
#pragma once
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/model.h"
#include "grymsynth/model_orchestrator.h"
#include "workflow/content_store.h"
#include "workflow/operations.h"

namespace grym {

// Limits for JSON that we wrote ourselves: an hour's features pass a request's megabyte.
JsonLimits ResultLimits();

// The recording behind an input: a path (text), or a result with a member `audio` that names a file of the store.
// InvalidArgument names step and input.
absl::StatusOr<std::filesystem::path> RecordingOf(const OperationCall& call, std::string_view input);

// The original's path, carried through results as `audioFile`; "" when the input is absent or carries none.
std::string AudioFileOf(const OperationCall& call, std::string_view input);

// A take is made whole, so one is read back whole too: three hours of stereo at 44.1 kHz.
AudioLimits TakeLimits();

// Stores a buffer as 32-bit float WAV: {"$file", "bytes", "rateHz", "channels", "seconds"}.
absl::StatusOr<Json> PutAudio(ContentStore& files, const AudioBuffer& audio, const CancelToken& cancel = {});
absl::StatusOr<AudioBuffer> GetAudio(const ContentStore& files, const Json& reference, const CancelToken& cancel = {});

// Routes and runs one analysis, and parses what it answers.
absl::StatusOr<Json> HearThrough(ModelOrchestrator& orchestrator, Capability capability, std::vector<AudioInput> inputs,
                                 const RunOptions& run);

}  // namespace grym
