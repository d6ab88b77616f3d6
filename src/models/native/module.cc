// libgrymsynth_native: the native models for programs that load them while they run (Engine::LoadNativeModels).
#include <cstring>

#include "engine/native_models.h"
#include "grymsynth/torch_models.h"

#ifdef _WIN32
#define GRYM_NATIVE_API __declspec(dllexport)
#else
#define GRYM_NATIVE_API __attribute__((visibility("default")))
#endif

extern "C" GRYM_NATIVE_API bool grym_native_opener(const char* build, const char** own_build,
                                                   grym::ModelOpener* opener) {
  *own_build = grym::NativeBuild();
  if (std::strcmp(build, *own_build) != 0) return false;
  *opener = grym::TorchModelOpener();
  return true;
}
