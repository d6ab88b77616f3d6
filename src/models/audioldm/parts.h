// What an AudioLDM folder holds, read and checked before any weights are: configs, schedule, tokenizer, headers.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/tokenizer.h"
#include "models/audioldm/denoise.h"
#include "models/clap/config.h"
#include "models/hifigan/config.h"
#include "models/unet/config.h"
#include "models/vae/config.h"
#include "nn/schedulers/scheduler.h"

namespace grym {

struct AudioLdmParts {
  ClapTextConfig text;
  UnetConfig unet;
  VaeConfig vae;
  HifiGanConfig vocoder;
  SchedulerConfig schedule;   // the folder's own
  SchedulerConfig dpm_solver; // the same read for DPM-Solver++(2M)
  LatentGeometry geometry;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const TensorSet> text_set, unet_set, vae_set, vocoder_set;
  std::vector<std::string> ignored_fields;  // "unet/config.json/alpha"

  // Errors of the configs; NotFound (code "no_component") for one that is missing; InvalidArgument ("bad_config") where
  // two components contradict each other, with both fields.
  static absl::StatusOr<AudioLdmParts> Read(const ModelFolder& folder);
};

}  // namespace grym
