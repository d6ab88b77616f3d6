/* The native models in C: the second library, grymsynth_torch_c, beside grymsynth_c. It needs LibTorch. */
#ifndef GRYMSYNTH_TORCH_H
#define GRYMSYNTH_TORCH_H

#include "grymsynth.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gives the engine the native models: from then on grym_engine_open_model opens checkpoint folders. Once for each
 * engine; both libraries must be of one build. Since 0.1. */
GRYM_C_API grym_status grym_torch_register(grym_engine* engine);

#ifdef __cplusplus
}
#endif
#endif
