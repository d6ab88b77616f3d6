#include "model/provenance.h"

#include <string>

#include "grymsynth/version.h"

namespace grym {

void SignResult(const ModelInfo& info, const GenerateAudioRequest& request, Provenance& provenance) {
  provenance.model = info.id;
  provenance.model_version = info.version;
  provenance.software = std::string(SoftwareName());
  provenance.seed = request.seed;
}

}  // namespace grym
