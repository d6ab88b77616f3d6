// Requests, results and patterns as JSON: what is read is valid, and reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grymsynth/error.h"
#include "grymsynth/generation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = grym::RequestFromJson(text); request.ok()) {
    if (!grym::ValidateRequest(*request).ok()) std::abort();
    const std::string canonical = grym::RequestToJson(*request);
    const auto again = grym::RequestFromJson(canonical);
    if (!again.ok() || grym::RequestToJson(*again) != canonical) std::abort();
  }
  if (const auto result = grym::ResultFromJson(text); result.ok()) {
    const std::string canonical = grym::ResultToJson(*result);
    const auto again = grym::ResultFromJson(canonical);
    if (!again.ok() || grym::ResultToJson(*again) != canonical) std::abort();
  }
  if (const auto patterns = grym::PatternsFromJson(text); patterns.ok()) {
    const std::string canonical = grym::PatternsToJson(*patterns);
    const auto again = grym::PatternsFromJson(canonical);
    if (!again.ok() || grym::PatternsToJson(*again) != canonical) std::abort();
  }
  return 0;
}
