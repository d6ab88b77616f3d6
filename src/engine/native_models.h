// What the core and the library of native models (models/native) agree on.
#pragma once
#include <filesystem>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"

namespace grym {

// The one symbol of that library. Writes an opener of its own to each who asks; false, and nothing is written, where
// `build` is not the library's own, which `*own_build` names: C++ objects pass between the two.
using NativeOpenerFn = bool(const char* build, const char** own_build, ModelOpener* opener);
inline constexpr char kNativeOpenerSymbol[] = "grym_native_opener";

inline const char* NativeBuild() {
#ifdef __VERSION__
  return GRYM_VERSION " " __VERSION__;
#else
  return GRYM_VERSION;
#endif
}

// Errors as of Engine::LoadNativeModels.
absl::StatusOr<ModelOpener> LoadNativeOpener(const std::filesystem::path& library);

}  // namespace grym
