// The decoders behind CodeModel.
#pragma once
#include <memory>

#include "models/musicgen/decoder.h"
#include "models/musicgen/device_decoder.h"
#include "models/musicgen/nets.h"

namespace grym {

// `net` as the pipeline asks it: conditions told by RowCondition, `shape` says which.
std::shared_ptr<const CodeModel> CodeModelOf(std::shared_ptr<const MusicgenDecoder> net, const MusicgenShape& shape);
std::shared_ptr<const CodeModel> CodeModelOf(std::shared_ptr<const MusicgenDeviceDecoder> net,
                                             const MusicgenShape& shape);

}  // namespace grym
