// Requests, results and patterns as JSON: what is read is valid, and reads back the same. A text that names the schema
// of a result or of patterns is read as such, anything else as a request: reading each three times over cost two
// thirds of the runs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grymsynth/error.h"
#include "grymsynth/generation.h"

namespace {

// What `read` accepts, `write` gives a text for that is read and written the same again.
template <class Read, class Write>
void ReadTwice(std::string_view text, Read read, Write write) {
  const auto value = read(text);
  if (!value.ok()) return;
  const std::string canonical = write(*value);
  const auto again = read(canonical);
  if (!again.ok() || write(*again) != canonical) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("grymsynth.result/") != text.npos) {
    ReadTwice(text, grym::ResultFromJson, grym::ResultToJson);
  } else if (text.find("grymsynth.patterns/") != text.npos) {
    ReadTwice(text, grym::PatternsFromJson, grym::PatternsToJson);
  } else {
    if (const auto request = grym::RequestFromJson(text); request.ok() && !grym::ValidateRequest(*request).ok())
      std::abort();
    ReadTwice(text, grym::RequestFromJson, grym::RequestToJson);
  }
  return 0;
}
