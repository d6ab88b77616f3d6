#include "guest_models.h"

#include <utility>

#include "grymsynth/audio_codec.h"

namespace grym::python {
namespace {

// The model itself, but for its id. What its sessions make is signed with the model's own.
class Renamed final : public Model {
 public:
  Renamed(std::shared_ptr<const Model> model, std::string id) : model_(std::move(model)), info_(model_->info()) {
    info_.id = std::move(id);
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest& request) const override { return model_->Need(request); }
  ResourceNeed NeedToHear(Capability capability, double audio_s) const override {
    return model_->NeedToHear(capability, audio_s);
  }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override { return model_->NewGenerator(); }
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override { return model_->Plan(request); }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return model_->NewEmbedder(); }
  absl::StatusOr<std::unique_ptr<Analyzer>> NewAnalyzer() const override { return model_->NewAnalyzer(); }
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec() const override { return model_->NewCodec(); }

 private:
  const std::shared_ptr<const Model> model_;
  ModelInfo info_;
};

// Of the letters that an id may have, and no longer than one may be.
std::string GuestId(const std::string& id, int64_t number) {
  const std::string end = ".open" + std::to_string(number);
  return id.substr(0, 64 - end.size()) + end;
}

}  // namespace

absl::StatusOr<GuestModels::Stay> GuestModels::Register(ModelOrchestrator& orchestrator,
                                                        const std::shared_ptr<const Model>& model) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(guests_, [](const auto& entry) { return entry.second.model.expired(); });
  Guest& guest = guests_[model.get()];
  if (guest.stays == 0) {
    guest.model = model;
    absl::Status added = absl::AlreadyExistsError("");
    if (!guest.id.empty()) added = orchestrator.Register(std::make_shared<Renamed>(model, guest.id));
    while (absl::IsAlreadyExists(added)) {
      guest.id = GuestId(model->info().id, next_++);
      added = orchestrator.Register(std::make_shared<Renamed>(model, guest.id));
    }
    if (!added.ok()) return added;
  }
  ++guest.stays;
  return Stay(this, &orchestrator, model, guest.id);
}

void GuestModels::Leave(ModelOrchestrator& orchestrator, const Model* model) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Guest& guest = guests_.at(model);
  if (--guest.stays == 0) orchestrator.Unregister(guest.id).IgnoreError();
}

}  // namespace grym::python
