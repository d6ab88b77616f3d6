#include "runtime/streamed_layers.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace grym {

struct CopyStream::Impl {
  c10::Stream stream;
};
struct CopyStream::Use::Impl {
  explicit Impl(c10::Stream stream) : guard(stream) {}
  c10::StreamGuard guard;
};

CopyStream::CopyStream(c10::Device device) {
  if (device.is_cuda())
    impl_.reset(new Impl{c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)});
}

CopyStream::~CopyStream() = default;

CopyStream::Use::Use(const CopyStream& stream) {
  if (stream.impl_) impl_ = std::make_unique<Impl>(stream.impl_->stream);
}

CopyStream::Use::~Use() {
  if (!impl_) return;
  try {
    impl_->guard.current_stream().synchronize();
  } catch (...) {  // a device that failed says so at the next call
  }
}

void CopyStream::Finish(c10::Device device) {
  if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

}  // namespace grym
