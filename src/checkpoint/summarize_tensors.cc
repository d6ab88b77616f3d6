#include "base/status.h"
#include "checkpoint/tensor_set.h"
#include "checkpoint/tensor_sums.h"
#include "grymsynth/checkpoint.h"

namespace grym {

absl::StatusOr<std::map<std::string, TensorSummary>> SummarizeTensors(const std::filesystem::path& path,
                                                                      const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const TensorSet set, TensorSet::Open(path));
  GRYM_ASSIGN_OR_RETURN(const auto sums, Sums(set, run.cancel));
  std::map<std::string, TensorSummary> summaries;
  for (size_t i = 0; i < set.size(); ++i) {
    const TensorEntry& entry = *set.place(i).entry;
    const TensorSums& summed = sums.at(entry.name);
    summaries[entry.name] = {ElementName(entry.type), entry.shape, entry.bytes, summed.sum, summed.absolute_sum};
  }
  return summaries;
}

}  // namespace grym
