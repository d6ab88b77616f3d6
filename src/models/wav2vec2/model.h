// wav2vec2 as a model: an embedder with all its layers.
#pragma once
#include <memory>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/model.h"
#include "models/wav2vec2/session.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

class Wav2Vec2Model : public Model {
 public:
  // The headers of the weights are read, the weights not. Errors as of TensorSet::Open and ReadWav2Vec2Config, and
  // ResourceExhausted (code "over_budget") where not even one frame would fit.
  static absl::StatusOr<std::shared_ptr<const Wav2Vec2Model>> Open(const ModelFolder& folder,
                                                                   const ModelContext& context);

  ~Wav2Vec2Model() override;

  const ModelInfo& info() const override { return info_; }
  const Wav2Vec2Config& config() const { return config_; }
  Precision precision() const { return precision_; }
  MemoryBudget& budget() const { return *context_.budget; }
  // Of hearing duration_s; it generates nothing.
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  ResourceNeed NeedToHear(Capability capability, double audio_s) const override;
  // Of hearing duration_s.
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override;
  // The same with its own windows and all its outputs.
  std::unique_ptr<Wav2Vec2Session> NewSession(const Wav2Vec2Windows& windows = {}) const;
  MemoryPlan PlanToHear(double audio_s, const Wav2Vec2Wants& wants = {}) const;
  MemoryPlan PlanForFrames(int64_t frames, const Wav2Vec2Wants& wants = {}) const;  // in one window
  void Unload() const;

 private:
  Wav2Vec2Model() = default;
  void MakeComponents(std::shared_ptr<const TensorSet> set);
  // Weights whole, or streamed by layer.
  MemoryPlan PlanWith(int64_t frames, const Wav2Vec2Wants& wants, bool streamed) const;
  MemoryPlan PlanWithin(int64_t budget_bytes, int64_t frames, const Wav2Vec2Wants& wants) const;
  absl::StatusOr<Wav2Vec2Session::Run> Start(int64_t frames, const Wav2Vec2Wants& wants,
                                             const RunOptions& run) const;

  Wav2Vec2Config config_;
  ModelContext context_;
  ModelInfo info_;
  Precision precision_ = Precision::kFloat32;
  std::vector<std::string> levers_;
  std::unique_ptr<const Wav2Vec2Session::Letters> letters_;  // null without a CTC head
  std::unique_ptr<const Component<Wav2Vec2Net>> net_, streamed_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenWav2Vec2(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
