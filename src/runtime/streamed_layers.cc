#include "runtime/streamed_layers.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace grym {

struct CopyStream::Impl {
  explicit Impl(c10::Device device)
      : guard(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)) {}
  c10::StreamGuard guard;
};

CopyStream::CopyStream(c10::Device device) {
  if (device.is_cuda()) impl_ = std::make_unique<Impl>(device);
}

CopyStream::~CopyStream() = default;

void CopyStream::Finish(c10::Device device) {
  if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

}  // namespace grym
