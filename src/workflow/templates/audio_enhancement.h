// The shipped template "audio-enhancement", compiled in.
#pragma once

namespace grym {

extern const char kAudioEnhancementTemplate[];

}  // namespace grym
