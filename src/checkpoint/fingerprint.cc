#include "checkpoint/fingerprint.h"

#include <algorithm>

#include "base/format.h"

namespace grym {
namespace {

constexpr size_t kPrintBytes = 64;

}  // namespace

void AddTensors(Sha256& sum, const TensorSet& set) {
  for (size_t i = 0; i < set.size(); ++i) {
    const TensorPlace& place = set.place(i);
    sum.Update(Formatted("%s %s %s ", set.names()[i], ElementName(place.entry->type), ShapeText(place.entry->shape)));
    const auto bytes = place.file->Bytes(*place.entry);
    if (bytes.ok()) sum.Update(bytes->data(), std::min(bytes->size(), kPrintBytes));
  }
}

std::string ShortFingerprint(std::string_view configs, const TensorSet& set) {
  Sha256 sum;
  sum.Update(configs);
  AddTensors(sum, set);
  return sum.Hex().substr(0, 16);
}

}  // namespace grym
