// For tests of bfloat16x3, which a CPU without units for bfloat16 does not offer.
#pragma once
#include <gtest/gtest.h>

#include "runtime/device.h"

#define GRYM_NEED_BFLOAT_UNITS() \
  if (!grym::HasBFloatUnits()) GTEST_SKIP() << "no AVX-512 BF16 here, so that bfloat16x3 is not offered"
