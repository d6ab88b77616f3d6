// The opener of native models, which lies in a module of its own that LibTorch comes with.
#pragma once
#include "face.h"
#include "grymsynth/model.h"

namespace grym::python {

// Loads LibTorch and the module on first use. Raises FailedPreconditionError (code "no_torch") with what is missing.
ModelOpener NativeOpener();

}  // namespace grym::python
