// Eight floats that are worked on at once: one AVX register, two of SSE or NEON, or a plain loop. For the insides of
// functions marked GRYM_HOT; between functions eight lanes travel as float[8], since how such a register is passed
// depends on the machine.
#pragma once

namespace grym {

inline constexpr int kLanes = 8;

#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
// Loads and stores need no alignment, and may look into any array of floats. Never let a pointer to it pass through a
// deduced type (auto, a lambda's result): GCC 12 drops the alignment there and loads as if there were one.
typedef float EightLanes __attribute__((vector_size(32), may_alias, aligned(4)));
// Four doubles on the same terms.
typedef double FourDoubles __attribute__((vector_size(32), may_alias, aligned(8)));
#define GRYM_INLINE inline __attribute__((always_inline))
#else
struct EightLanes {
  float v[kLanes];
};
struct FourDoubles {
  double v[4];
};
#define GRYM_LANES_OPERATOR(op)                                     \
  inline EightLanes operator op(const EightLanes& a, const EightLanes& b) {        \
    EightLanes result;                                                   \
    for (int i = 0; i < kLanes; ++i) result.v[i] = a.v[i] op b.v[i]; \
    return result;                                                  \
  }                                                                 \
  inline EightLanes operator op(float a, const EightLanes& b) {               \
    EightLanes result;                                                   \
    for (int i = 0; i < kLanes; ++i) result.v[i] = a op b.v[i];     \
    return result;                                                  \
  }                                                                 \
  inline FourDoubles operator op(const FourDoubles& a, const FourDoubles& b) {     \
    FourDoubles result;                                                  \
    for (int i = 0; i < 4; ++i) result.v[i] = a.v[i] op b.v[i];     \
    return result;                                                  \
  }                                                                 \
  inline FourDoubles operator op(double a, const FourDoubles& b) {            \
    FourDoubles result;                                                  \
    for (int i = 0; i < 4; ++i) result.v[i] = a op b.v[i];          \
    return result;                                                  \
  }
GRYM_LANES_OPERATOR(+)
GRYM_LANES_OPERATOR(-)
GRYM_LANES_OPERATOR(*)
#undef GRYM_LANES_OPERATOR
#define GRYM_INLINE inline
#endif

}  // namespace grym
