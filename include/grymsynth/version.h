// The library's version.
#pragma once
#include <string_view>

#include "grymsynth/export.h"

namespace grym {
// Semantic version of the linked library, for instance "0.1.0".
GRYM_EXPORT std::string_view Version();
// "grymsynth 0.1.0": what we write as `software` into files.
GRYM_EXPORT std::string_view SoftwareName();
}  // namespace grym
