// Models of Model.open among those of the module's own engine, for the calls that it gates.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "grymsynth/model_orchestrator.h"

namespace grym::python {

// Registered while a call is under way, under an id that no other model has: the same checkpoint may have been opened
// in the engine too, or twice, and no call waits for another. A model keeps its id from call to call, and with it what
// the orchestrator measured. Threads: any.
class GuestModels {
 public:
  class Stay;
  // `orchestrator` must outlive what it answers.
  absl::StatusOr<Stay> Register(ModelOrchestrator& orchestrator, const std::shared_ptr<const Model>& model);

 private:
  struct Guest {
    std::weak_ptr<const Model> model;  // another may lie at the address of one that is gone
    std::string id;
    int stays = 0;
  };
  void Leave(ModelOrchestrator& orchestrator, const Model* model);
  std::mutex mutex_;
  std::map<const Model*, Guest> guests_;
  int64_t next_ = 1;
};

class GuestModels::Stay {
 public:
  Stay(Stay&& other) noexcept = default;
  Stay& operator=(Stay&& other) = delete;
  ~Stay() {
    if (model_) guests_->Leave(*orchestrator_, model_.get());
  }
  const std::string& id() const { return id_; }

 private:
  friend class GuestModels;
  Stay(GuestModels* guests, ModelOrchestrator* orchestrator, std::shared_ptr<const Model> model, std::string id)
      : guests_(guests), orchestrator_(orchestrator), model_(std::move(model)), id_(std::move(id)) {}
  GuestModels* guests_;
  ModelOrchestrator* orchestrator_;
  std::shared_ptr<const Model> model_;
  std::string id_;
};

}  // namespace grym::python
