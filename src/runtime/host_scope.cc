#include "runtime/host_scope.h"

#include <c10/core/AutogradState.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace grym {
namespace {

thread_local const HostScope* innermost_host_scope = nullptr;

}  // namespace

HostScope::HostScope() : outer_(innermost_host_scope), around_(BudgetScope::Current()) { innermost_host_scope = this; }

HostScope::~HostScope() { innermost_host_scope = outer_; }

const HostScope* HostScope::Innermost() { return innermost_host_scope; }

RunOptions ForHost(const RunOptions& run) {
  RunOptions told{run.cancel, {}};
  if (!run.progress) return told;
  told.progress = [&run, mode = c10::AutogradState::get_tls_state(),
                   keys = c10::impl::tls_local_dispatch_key_set()](const Progress& now) {
    const HostScope scope;
    const c10::InferenceMode as_before(mode.get_inference_mode());  // puts everything back when it ends
    c10::AutogradState::set_tls_state(mode);
    const c10::impl::ForceDispatchKeyGuard host_keys(keys);
    run.progress(now);
  };
  return told;
}

}  // namespace grym
