// Pieces of the library's own composer: the same genre, tempo and key, other seeds.
#pragma once
#include <string>

#include "generation/composer.h"
#include "grymsynth/generation.h"

namespace grym::testing {

inline AudioBuffer Piece(const std::string& genre, int64_t seed, double duration_s = 8) {
  GenerateAudioRequest request;
  request.prompt = genre;
  request.seed = seed;
  request.duration_s = duration_s;
  request.tempo_bpm = 120;
  request.key = "A minor";
  return MakeComposer()->NewGenerator().value()->Generate(request, {}).value().audio;
}

// A take of `recording` with composed parts, the more the higher the level.
inline AudioBuffer EnhancedTake(const AudioBuffer& recording, double level) {
  GenerateAudioRequest request;
  request.seed = 1;
  request.reference_buffer = recording;
  request.enhancement_level = level;
  return MakeComposer()->NewGenerator().value()->Generate(request, {}).value().audio;
}

}  // namespace grym::testing
