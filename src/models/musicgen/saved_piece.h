// A piece that is not finished, as a file: what another process needs to go on to the same codes and sound.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/generation.h"
#include "models/musicgen/piece_maker.h"

namespace grym {

struct SavedPiece {
  std::string fingerprint;       // of the checkpoint
  GenerateAudioRequest request;  // without its buffers: what came of them is below
  std::vector<int32_t> prompt;   // codes of the recording that is continued, [books, prompt_frames]
  int64_t prompt_frames = 0;
  std::optional<Melody> melody;
  PieceState state;
  std::optional<SoundMemory> sound;  // none: it is made again, from the codes
  int64_t given = 0;             // samples of each channel that were handed out
  std::vector<std::string> warnings;
};

// The file: "GRYMPIEC", a version (2), the length of a JSON text, that text, all codes (prompt, then each window's) as
// 32-bit numbers, the sound's memory as floats, little-endian; SHA-256 of all before, in 64 hex digits. Whole or not
// there. Errors as of WriteFile. Version 1, which is read too, has no sound.
absl::Status SavePiece(const std::filesystem::path& path, const SavedPiece& piece);
// DataLoss (code "bad_state") for a file that is none, is cut, changed, or contradicts itself; Unimplemented
// ("newer_state") for a later version; FailedPrecondition ("other_model") for another fingerprint; errors as of
// ReadFile. Whether the codes fit the request is PieceMaker::Restore's to say.
absl::StatusOr<SavedPiece> LoadPiece(const std::filesystem::path& path, const std::string& fingerprint,
                                     const MusicgenShape& shape);

}  // namespace grym
