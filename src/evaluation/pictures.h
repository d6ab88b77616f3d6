// The two pictures of a recording that comparing rests on.
#pragma once
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/take_measures.h"

namespace grym {

absl::StatusOr<BandPicture> MakeBandPicture(const AudioBuffer& audio, const RunOptions& run = {});
absl::StatusOr<std::vector<float>> MakeFineSpectrum(const AudioBuffer& audio, const RunOptions& run = {});

}  // namespace grym
