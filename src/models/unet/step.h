// The network at each step of a run: launched as one where the device can.
#pragma once
#include <cstdint>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "models/unet/net.h"
#include "runtime/device_graph.h"

namespace grym {

// On a GPU the first call is captured (runtime/device_graph.h) and later ones are replayed: some 500 kernels of a step
// are launched together, and nothing is waited for. A streamed net, whose weights come and go, is called as it is, and
// so is every net on the CPU. `unet` and `conditions` outlive it. Belongs to one thread. The captured part has been
// compiled, and has not run: no GPU was at hand.
class UnetStep {
 public:
  UnetStep(const Unet& unet, const UnetConditions& conditions)
      : UnetStep(unet, conditions, !unet.streamed() && DeviceGraph::Captures(unet.device())) {}
  // `captures`: on tensors that stay, as what is captured must; also where the device then captures nothing.
  UnetStep(const Unet& unet, const UnetConditions& conditions, bool captures)
      : unet_(unet), conditions_(conditions), captures_(captures), graph_(unet.device()) {}

  // As Unet's operator, in float32; `latents` may change its shape, which captures anew. Cancelled, asked between the
  // layers or, where steps are replayed, between the steps.
  absl::StatusOr<at::Tensor> operator()(const at::Tensor& latents, int64_t step, const CancelToken& cancel);

 private:
  const Unet& unet_;
  const UnetConditions& conditions_;
  const bool captures_;
  DeviceGraph graph_;
  // What a captured step reads and writes: its latents, its own row of the conditions, its answer.
  at::Tensor latents_, answer_;
  UnetConditions now_;
};

}  // namespace grym
