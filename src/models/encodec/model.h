// An EnCodec folder behind the Model interface: a codec for any sound.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/model.h"
#include "models/encodec/halves.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

// Threads: immutable.
class EncodecCodecModel : public Model, public std::enable_shared_from_this<EncodecCodecModel> {
 public:
  // Reads the config and the weights' header. Errors as of these; Unimplemented: a dtype other than float32 (code
  // "unsupported_dtype") or a GPU by name ("unsupported_device"), neither of which the network is for.
  static absl::StatusOr<std::shared_ptr<const EncodecCodecModel>> Open(const ModelFolder& folder,
                                                                       const ModelContext& context);
  ~EncodecCodecModel() override;

  const ModelInfo& info() const override { return info_; }
  const EncodecConfig& config() const { return halves_->config(); }
  const ModelContext& context() const { return context_; }
  // Of coding duration_s and decoding it again.
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec() const override;
  MemoryPlan PlanFor(const EncodecWork& work) const { return halves_->PlanFor(work); }

 private:
  EncodecCodecModel() = default;
  ModelInfo info_;
  ModelContext context_;
  std::unique_ptr<const Component<EncodecEncoder>> encoder_;
  std::unique_ptr<const Component<EncodecDecoder>> decoder_;
  std::unique_ptr<const EncodecHalves> halves_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenEncodec(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
