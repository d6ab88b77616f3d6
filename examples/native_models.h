// --model DIR of the examples: opens a checkpoint folder, where this build has the native models.
#pragma once
#include <string>

#include "grymsynth/engine.h"
#ifdef GRYM_EXAMPLE_TORCH
#include "grymsynth/torch_models.h"
#endif

// The id to put into requests; "" for no folder.
inline absl::StatusOr<std::string> OpenModelFolder(grym::Engine& engine, const std::string& folder,
                                                   const std::string& dtype) {
  if (folder.empty()) return std::string();
#ifdef GRYM_EXAMPLE_TORCH
  grym::RegisterTorch(engine);
#endif
  grym::OpenModelOptions options;
  if (!dtype.empty()) options.dtype = dtype;
  return engine.OpenModel(folder, options);
}
