// The built-in composer: a request becomes a plan, a score, sound, and a master. No weights; any CPU.
#pragma once
#include <memory>

#include "grymsynth/model.h"

namespace grym {

// Model id "composer". With reference audio in the request it makes an enhanced take (see enhanced_take.h).
std::shared_ptr<const Model> MakeComposer();

}  // namespace grym
