// One run of AudioLDM after another: text, latents, spectrogram, wave.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "models/audioldm/model.h"

namespace grym {

class AudioLdmGenerator : public Generator {
 public:
  explicit AudioLdmGenerator(std::shared_ptr<const AudioLdmModel> model) : model_(std::move(model)) {}

  // Mono at the vocoder's rate, as long as asked for, or as the reference recording. What an interrupted run had done
  // the model keeps, of the last one: the same request (its seed given, so not -1) goes on from its last step, to the
  // same bytes, by whichever session. The result's fact "resumed_from_step" then says from where.
  // Source: diffusers 0.42, AudioLDMPipeline; for a recording AudioLDM's own style transfer (audioldm/pipeline.py).
  // Errors: InvalidArgument (codes "bad_duration", "bad_steps", "bad_request", "unsupported_field"); ResourceExhausted
  // ("over_budget") before anything is allocated; Internal ("non_finite_result") with the step; those of a recording.
  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override;

 private:
  struct Run;
  absl::StatusOr<at::Tensor> EmbedTexts(Run& run) const;
  absl::StatusOr<std::vector<float>> Embedded(Run& run, const std::vector<int32_t>& ids,
                                              std::shared_ptr<const ClapTextNet>& net) const;
  absl::Status Prepare(Run& run) const;
  absl::StatusOr<at::Tensor> EncodeSound(Run& run) const;
  absl::StatusOr<at::Tensor> MakeLatents(Run& run, const at::Tensor& embeddings, const at::Tensor& original) const;
  absl::StatusOr<at::Tensor> WalkDown(Run& run, const DenoiseRequest& wanted) const;
  absl::StatusOr<at::Tensor> MakeWave(Run& run, at::Tensor latents) const;
  absl::StatusOr<GenerateAudioResult> Make(Run& run) const;

  const std::shared_ptr<const AudioLdmModel> model_;
};

}  // namespace grym
