// Clicks: samples that nothing around them foretells.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// Frames of isolated discontinuities: a spike or a jump whose prediction error (third difference) stands 20 times above
// everything from 0.2 to 4 ms on either side. A stroke of a drum is no click: after its attack the error stays up. Nor
// is the edge of a low saw or pulse: it returns once a period, alike. Louder than -50 dBFS only. The first and last 4
// ms are left out.
std::vector<int64_t> FindClicks(std::span<const float> channel, int rate_hz);

}  // namespace grym
