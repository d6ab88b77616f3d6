// What the autoencoder takes, told before anything is loaded.
#pragma once
#include <cstdint>

#include "models/vae/config.h"
#include "runtime/device.h"

namespace grym {

// Of the loaded halves.
int64_t VaeDecoderWeightBytes(const VaeConfig& config, Precision precision);
int64_t VaeEncoderWeightBytes(const VaeConfig& config, Precision precision);

// The most that the tensors of one call take at once beside weights and argument, the result included: an upper bound,
// at most 10 % above what is measured. `frames` and `bands` are of the latents, `tile_frames` as in VaeDecoder::Decode.
int64_t VaeDecodeBytes(const VaeConfig& config, Precision precision, c10::Device device, int64_t batch, int64_t frames,
                       int64_t bands, int64_t tile_frames = 0);
// `frames` and `bands` are of the mel.
int64_t VaeEncodeBytes(const VaeConfig& config, Precision precision, c10::Device device, int64_t batch, int64_t frames,
                       int64_t bands);

}  // namespace grym
