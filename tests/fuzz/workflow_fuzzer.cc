// Workflow documents: any bytes are refused with problems, or accepted, planned and read back to the same digest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grymsynth/error.h"
#include "grymsynth/workflow.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto workflow = grym::Workflow::FromJson(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!workflow.ok()) {
    if (grym::ErrorProblems(workflow.status()).empty() || grym::ErrorProblems(workflow.status()).size() > 100)
      std::abort();
    return 0;
  }
  const auto plan = workflow->Plan();
  if (!plan.ok() && grym::ErrorProblems(plan.status()).empty()) std::abort();
  const auto again = grym::Workflow::FromJson(workflow->ToJson());
  if (!again.ok() || again->Digest() != workflow->Digest()) std::abort();
  return 0;
}
