// --model DIR of the examples: opens a checkpoint folder, where this build has the native models.
#pragma once
#include <string>

#include "grymsynth/engine.h"

// The id to put into requests; "" for no folder.
inline absl::StatusOr<std::string> OpenModelFolder(grym::Engine& engine, const std::string& folder,
                                                   const std::string& dtype) {
  if (folder.empty()) return std::string();
  if (const absl::Status loaded = engine.LoadNativeModels(); !loaded.ok()) return loaded;
  grym::OpenModelOptions options;
  if (!dtype.empty()) options.dtype = dtype;
  return engine.OpenModel(folder, options);
}
