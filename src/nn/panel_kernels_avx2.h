// The loops of panel_kernels.h for x86 with AVX2 and FMA.
#pragma once
#include "nn/panel_kernels.h"

namespace grym {

bool HasAvx2PanelKernels();  // built in, and this machine has them
const PanelKernels& Avx2PanelKernels();  // PortablePanelKernels() where they are not built in

}  // namespace grym
