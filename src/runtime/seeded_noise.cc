#include "runtime/seeded_noise.h"

#include <ATen/CPUGeneratorImpl.h>

namespace grym {

at::Generator SeededGenerator(int64_t seed) { return at::detail::createCPUGenerator(static_cast<uint64_t>(seed)); }

at::Tensor Noise(const std::vector<int64_t>& shape, at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace grym
