// Noise that lasts: risers, sweeps, impacts, the crackle of a record, rain.
#pragma once
#include <memory>

#include "generation/synth/voice.h"

namespace grym::synth {

enum class TextureKind { kRiser, kSweep, kImpact, kVinyl, kRain };

struct TextureSpec {
  TextureKind kind = TextureKind::kRiser;
};

std::unique_ptr<Voice> MakeTexture(const TextureSpec& spec, const NoteInfo& note);

}  // namespace grym::synth
