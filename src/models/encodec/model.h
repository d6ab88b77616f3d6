// An EnCodec folder behind the Model interface: a codec for any sound.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/model.h"
#include "models/encodec/decoder.h"
#include "models/encodec/encoder.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

// What a plan is made for: seconds of sound to code, frames of codes to decode; 0 for none.
struct EncodecWork {
  double encode_s = 0;
  int64_t decode_frames = 0;
};

// Threads: immutable; sessions of any thread share the two halves, each of which is read when it is first wanted.
class EncodecCodecModel : public Model, public std::enable_shared_from_this<EncodecCodecModel> {
 public:
  // Reads the config and the weights' header. Errors as of these; Unimplemented: a dtype other than float32 (code
  // "unsupported_dtype") or a GPU by name ("unsupported_device"), neither of which the network is for.
  static absl::StatusOr<std::shared_ptr<const EncodecCodecModel>> Open(const ModelFolder& folder,
                                                                       const ModelContext& context);
  ~EncodecCodecModel() override;

  const ModelInfo& info() const override { return info_; }
  const EncodecConfig& config() const { return config_; }
  const ModelContext& context() const { return context_; }
  // Of coding duration_s and decoding it again.
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec() const override;

  // Both halves are kept where the budget holds them; else the one that is not wanted goes.
  MemoryPlan PlanFor(const EncodecWork& work) const;
  // A half, and the lease that it works under; the lease outlives it. ResourceExhausted (code "over_budget") before
  // anything is allocated.
  template <class Net>
  struct Half {
    MemoryLease lease;
    std::shared_ptr<const Net> net;
  };
  absl::StatusOr<Half<EncodecEncoder>> Encoder(double audio_s, const CancelToken& cancel) const;
  absl::StatusOr<Half<EncodecDecoder>> Decoder(int64_t frames, const CancelToken& cancel) const;

 private:
  EncodecCodecModel() = default;
  template <class Net>
  absl::StatusOr<Half<Net>> HalfFor(const EncodecWork& work, const Component<Net>& component,
                                    const CancelToken& cancel) const;
  ModelInfo info_;
  ModelContext context_;
  EncodecConfig config_;
  std::unique_ptr<const Component<EncodecEncoder>> encoder_;
  std::unique_ptr<const Component<EncodecDecoder>> decoder_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenEncodec(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
