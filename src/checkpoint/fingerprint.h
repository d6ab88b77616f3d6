// What tells one checkpoint from another without reading all of it.
#pragma once
#include <string>
#include <string_view>

#include "base/hash.h"
#include "checkpoint/tensor_set.h"

namespace grym {

// Every tensor's name, type, shape and first 64 bytes: as little as can be read of a trained tensor that no other
// training leaves the same. A tensor that cannot be read counts without its bytes.
void AddTensors(Sha256& sum, const TensorSet& set);

// Of a model's configs, as text, and its tensors: 16 hexadecimal digits, for a name or a version.
std::string ShortFingerprint(std::string_view configs, const TensorSet& set);

}  // namespace grym
