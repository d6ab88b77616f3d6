#include "grymsynth/version.h"

namespace grym {
std::string_view Version() { return GRYM_VERSION; }
std::string_view SoftwareName() { return "grymsynth " GRYM_VERSION; }
}  // namespace grym
