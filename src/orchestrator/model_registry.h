// The models that there are, by id.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"

namespace grym {

// Threads: any.
class ModelRegistry {
 public:
  // AlreadyExists (code "model_exists"); InvalidArgument (code "bad_model_info") lists all that is wrong.
  absl::Status Add(std::shared_ptr<const Model> model);
  absl::Status Remove(std::string_view id);  // NotFound (code "unknown_model")
  absl::StatusOr<std::shared_ptr<const Model>> Find(std::string_view id) const;  // NotFound (code "unknown_model")
  std::vector<std::shared_ptr<const Model>> All() const;                         // by id
  std::vector<ModelInfo> Infos() const;
  // Another model that shares a capability with `id`, first by id; with `smaller` one with less weight bytes. "" if
  // none.
  std::string StandIn(const std::string& id, bool smaller) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Model>, std::less<>> models_;
};

bool HasCapability(const ModelInfo& info, Capability capability);

}  // namespace grym
