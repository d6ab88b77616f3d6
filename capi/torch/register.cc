// The one symbol of the second library.
#include "grymsynth/torch_models.h"
#include "grymsynth_torch.h"

grym_status grym_torch_register(grym_engine* engine) {
  // Everything that can be wrong is checked, and told of, on the other side.
  try {
    const grym::ModelOpener opener = grym::TorchModelOpener();
    return grym_engine_add_model_opener(engine, &opener, GRYM_C_BUILD);
  } catch (...) {
    return GRYM_STATUS_RESOURCE_EXHAUSTED;
  }
}
