// Loading and storing eight lanes, for the insides of functions marked GRYM_HOT.
#pragma once
#include "dsp/lanes.h"

namespace grym {

inline constexpr float kNoLanes[kLanes] = {};
// By reference: how a register of this width is passed depends on the machine.
GRYM_INLINE void FillLanes(const float* from, EightLanes& to) { to = *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE void KeepLanes(const EightLanes& from, float* to) { *reinterpret_cast<EightLanes*>(to) = from; }
#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
GRYM_INLINE void TakeLarger(const EightLanes& x, EightLanes& most) { most = x > most ? x : most; }
#else
GRYM_INLINE void TakeLarger(const EightLanes& x, EightLanes& most) {
  for (int i = 0; i < kLanes; ++i) most.v[i] = x.v[i] > most.v[i] ? x.v[i] : most.v[i];
}
#endif

}  // namespace grym
