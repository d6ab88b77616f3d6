// A look into published model files: their tensors and what a config would make, without loading a model.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"

namespace grym {

// One tensor of a checkpoint. Sums are over all elements in double, NaN and infinities go through; the same bits on
// every machine.
struct TensorSummary {
  std::string dtype;  // as in the file: "F32", "BF16", "I64"
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  double sum = 0;
  double absolute_sum = 0;
};

// By name. `path` is a safetensors file, the index of a sharded one, or a folder. The files are read once, in place;
// memory stays flat. Errors: NotFound, InvalidArgument (code "not_safetensors"), DataLoss (code "bad_safetensors") with
// the place, FailedPrecondition (code "pickle_refused") with the command that converts, ResourceExhausted beyond a
// limit, Cancelled.
GRYM_EXPORT absl::StatusOr<std::map<std::string, TensorSummary>> SummarizeTensors(const std::filesystem::path& path,
                                                                                  const RunOptions& run = {});

}  // namespace grym
