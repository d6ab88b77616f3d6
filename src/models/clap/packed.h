// What the audio tower takes where its matrices are kept in another type than it computes in (nn/linear.h).
#pragma once
#include <cstdint>

#include "models/clap/config.h"
#include "runtime/device.h"

namespace grym {

// As loaded, exactly: ClapAudioNet::WeightBytes, for int8 and int4 too. What is no product of matrices stays in float32
// there: the patches' convolutions, norms and position biases, a hundredth of the published towers.
int64_t ClapAudioWeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device);

}  // namespace grym
