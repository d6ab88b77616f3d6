// Noise that a seed means the same everywhere by.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/tensor.h"

namespace grym {

// torch.Generator("cpu").manual_seed(seed), whatever the device of the model: draw on the CPU, then move.
at::Generator SeededGenerator(int64_t seed);
// Standard normal, float32, as torch.randn(shape, generator=generator).
at::Tensor Noise(const std::vector<int64_t>& shape, at::Generator& generator);

}  // namespace grym
