// Which fields of a request are set, by the name of their member in GenerateAudioRequest.
#pragma once
#include <string>
#include <vector>

#include "grymsynth/generation.h"

namespace grym {

// Every name that ModelInfo::request_fields may list.
const std::vector<std::string>& RequestFieldNames();
// The optional fields that a request asks for: those that differ from a fresh request.
std::vector<std::string> SetRequestFields(const GenerateAudioRequest& request);

}  // namespace grym
