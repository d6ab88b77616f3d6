// The memory of a GPU, as its own allocator counts and bounds it.
#pragma once
#include <memory>

#include "runtime/memory_budget.h"
#include "runtime/tensor.h"

namespace grym {

// Null for the CPU, whose tensors an allocator of ours counts, and for a GPU that is not there.
// Used and peak are LibTorch's statistics of the device, of all its users in this process. The limit is that of its
// caching allocator (setMemoryFraction), as the sum of what all budgets on the device ask for; it is compiled where
// LibTorch has CUDA and the CUDA runtime and its headers are found (cmake/GrymTorch.cmake), and bounds what the allocator
// reserves, cached blocks included. Without it the leases alone keep to the limit, and plans say "not counted".
// This code has been compiled, and has not run: no GPU was at hand.
std::unique_ptr<DeviceMemory> NewDeviceMemory(c10::Device device);

// Whether this build can bound a GPU's allocator.
bool HasDeviceLimit();

}  // namespace grym
