// The native models, run by LibTorch: the second library, grymsynth::torch.
#pragma once
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/engine.h"
#include "grymsynth/export.h"
#include "grymsynth/model.h"

namespace grym {

// Opens the families that this library runs: wav2vec2, CLAP, AudioLDM, MusicGen and EnCodec. All models that one opener
// (and its copies) opens on one device share one budget for tensors, but those that ask for one of their own.
// Unimplemented (code "unknown_family") for a folder of another family, with those it knows. Threads: any.
GRYM_EXPORT ModelOpener TorchModelOpener();

// Gives the engine such an opener. Once for each engine. Linked against this library a program waits for LibTorch
// (0.3 s) at every start; Engine::LoadNativeModels does the same where it is called, and needs no link.
GRYM_EXPORT void RegisterTorch(Engine& engine);

// Reads a config.json, a model_index.json with its components' configs, or the folder of either, as opening would:
// every field in use with its value, given or default, and those that nothing reads. JSON text (schema
// "grymsynth.config/1"). InvalidArgument (code "bad_config") with every field that is wrong: what was wanted, what
// came. No weights are needed.
GRYM_EXPORT absl::StatusOr<std::string> PlanConfig(const std::filesystem::path& path);

}  // namespace grym
