// The opener of native models, which lies in a module of its own that LibTorch comes with.
#pragma once
#include "face.h"
#include "grymsynth/model.h"

namespace grym::python {

// Loads LibTorch and the module on first use. Raises FailedPreconditionError (code "no_torch") with what is missing.
// `shared`: the one of the process, whose models share one budget for each device; else a new one, an engine's own.
ModelOpener NativeOpener(bool shared);

}  // namespace grym::python
