// Work that is done over and over on the same tensors, launched as one where the device can.
#pragma once
#include <functional>
#include <memory>

#include "runtime/tensor.h"

namespace grym {

// On a GPU a step of a network is hundreds of small kernels, and launching them takes longer than they run; a CUDA
// graph launches them together. Movable; belongs to one thread at a time. The graph's tensors end with it.
// The part for CUDA has been compiled, and has not run: no GPU was at hand.
class DeviceGraph {
 public:
  explicit DeviceGraph(c10::Device device);
  DeviceGraph(DeviceGraph&&) noexcept;
  DeviceGraph& operator=(DeviceGraph&&) noexcept;
  ~DeviceGraph();

  // Does `work`: at first twice to warm up (libraries pick their kernels), then once to be captured, on a stream of its
  // own; from then on what was captured is replayed and `work` is not called. So it must launch and never wait, take
  // what changes out of tensors that stay and leave its results in such, and done twice it must leave what done once it
  // does. One capture of a device goes on at a time. Elsewhere, and in a build without CUDA's headers (Captures), it is
  // plainly called each time. LibTorch's exceptions come through; nothing is captured then.
  void Run(const std::function<void()>& work);
  // The next Run captures anew: other work, or other shapes.
  void Reset();
  bool captured() const { return captured_ != nullptr; }

  // Whether work on `device` is captured in this build.
  static bool Captures(c10::Device device);

 private:
  struct Captured;
  c10::Device device_;
  std::unique_ptr<Captured> captured_;
};

}  // namespace grym
