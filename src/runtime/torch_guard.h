// The edge of a session: LibTorch throws, and beyond this nothing of ours does.
#pragma once
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace grym {

// The status of the exception being handled; `where` comes first. Out of memory is ResourceExhausted (code
// "out_of_memory"), everything else Internal (code "torch_error"): what a user can cause was checked before.
absl::Status StatusOfTorchException(const std::string& where);

// Calls `work()`, which returns absl::Status or absl::StatusOr<T>, without gradients or autocasting and with exceptions as
// statuses.
template <class Work>
auto TorchGuard(const std::string& where, Work&& work) -> decltype(work()) {
  try {
    const c10::InferenceMode without_gradients;
    const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::autocast_dispatch_keyset);  // the host's
    return std::forward<Work>(work)();
  } catch (...) {
    return StatusOfTorchException(where);
  }
}

}  // namespace grym
