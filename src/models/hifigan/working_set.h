// What the vocoder takes, told before anything is loaded.
#pragma once
#include <cstdint>

#include "models/hifigan/config.h"
#include "runtime/device.h"

namespace grym {

int64_t HifiGanWeightBytes(const HifiGanConfig& config, Precision precision);

// The most that the tensors of one HifiGan::Synthesize take at once beside weights and argument, the result included:
// an upper bound, at most 10 % above what is measured.
int64_t HifiGanBytes(const HifiGanConfig& config, Precision precision, c10::Device device, int64_t batch,
                     int64_t frames, int64_t chunk_frames = 0);

}  // namespace grym
