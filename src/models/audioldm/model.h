// AudioLDM behind the Model interface: text to sound, sound to sound, and a span of a sound made anew.
#pragma once
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "models/audioldm/kept_run.h"
#include "models/audioldm/parts.h"
#include "models/audioldm/text_cache.h"
#include "models/clap/text_net.h"
#include "models/hifigan/net.h"
#include "models/unet/net.h"
#include "models/vae/net.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

// What a request asks of the parts.
struct AudioLdmWork {
  double duration_s = 0;
  int64_t steps = 10;
  double guidance = 2.5;
  int64_t tokens = 64;      // of the longer of prompt and negative prompt: they are encoded one after the other
  bool from_sound = false;  // a reference recording is encoded first
  int64_t window = 0;       // latent positions that the network sees at once; 0: all
};

// A plan with the sizes of tiles that it counts with.
struct AudioLdmPlan {
  MemoryPlan memory;
  int64_t tile_frames = 0;   // of VaeDecoder::Decode
  int64_t chunk_frames = 0;  // of HifiGan::Synthesize
};

// Threads: immutable; sessions of any thread share the components, each of which is read when it is first wanted.
class AudioLdmModel : public Model, public std::enable_shared_from_this<AudioLdmModel> {
 public:
  // Configs, tokenizer and the weights' headers are read. Where that is allowed, the precision is lowered until the
  // least request fits. Errors as of AudioLdmParts::Read.
  static absl::StatusOr<std::shared_ptr<const AudioLdmModel>> Open(const ModelFolder& folder,
                                                                   const ModelContext& context);
  ~AudioLdmModel() override;

  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override;

  const AudioLdmParts& parts() const { return parts_; }
  const ModelContext& context() const { return context_; }
  absl::StatusOr<ClapTokens> Tokens(const std::string& text) const {
    return TokensOfText(*parts_.tokenizer, parts_.text, text);
  }
  // The first plan that keeps to `budget_bytes`, by the levers in their order; ResourceExhausted (code "over_budget")
  // with what the smallest of them takes.
  absl::StatusOr<AudioLdmPlan> PlanFor(const AudioLdmWork& work, int64_t budget_bytes) const;
  // A lease on all that `plan` takes, which is made for `work` here.
  absl::StatusOr<MemoryLease> Lease(const AudioLdmWork& work, const RunOptions& run, AudioLdmPlan& plan) const;
  // InvalidArgument (codes "bad_duration", "bad_steps").
  absl::StatusOr<AudioLdmWork> WorkOf(const GenerateAudioRequest& request, double sound_s) const;

  const Component<ClapTextNet>& text() const { return *text_; }
  const Component<Unet>& unet() const { return *unet_; }
  // The same with their layers left in the file, for who loads one of his own.
  const Component<ClapTextNet>& streamed_text() const { return *streamed_text_; }
  const Component<Unet>& streamed_unet() const { return *streamed_unet_; }
  const Component<VaeDecoder>& decoder() const { return *decoder_; }
  const Component<VaeEncoder>& encoder() const { return *encoder_; }
  const Component<HifiGan>& vocoder() const { return *vocoder_; }
  TextEmbeddingCache& text_cache() const { return text_cache_; }
  // Of the last run that was interrupted, by a session of this model.
  KeptRun& kept_run() const { return kept_run_; }
  void DropAll() const;

 private:
  AudioLdmModel() = default;
  // What a component is kept in. int8 and int4 are of matrices: of the text encoder and the UNet, whose convolutions
  // are then in float16 on the CPU, as are the autoencoder and the vocoder, which have little else.
  Precision PrecisionOf(const std::string& component) const;
  std::string NoteOf(const std::string& component) const;
  void LowerPrecision();
  void MakeComponents();
  // How far the levers are pulled.
  struct Cut {
    bool keep_weights = true;
    int64_t tile_frames = 0, chunk_frames = 0;
    int64_t stream_above = std::numeric_limits<int64_t>::max();  // bytes of a phase that is not streamed
  };
  AudioLdmPlan PlanWith(const AudioLdmWork& work, const Cut& cut) const;
  // Or the smallest, where none fits.
  AudioLdmPlan FirstThatFits(const AudioLdmWork& work, int64_t budget_bytes, bool may_stream) const;

  AudioLdmParts parts_;
  ModelContext context_;
  std::optional<Precision> lowered_;  // below what was asked for, to fit
  ModelInfo info_;
  std::unique_ptr<const Component<ClapTextNet>> text_, streamed_text_;
  std::unique_ptr<const Component<Unet>> unet_, streamed_unet_;
  std::unique_ptr<const Component<VaeDecoder>> decoder_;
  std::unique_ptr<const Component<VaeEncoder>> encoder_;
  std::unique_ptr<const Component<HifiGan>> vocoder_;
  mutable TextEmbeddingCache text_cache_;
  mutable KeptRun kept_run_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenAudioLdm(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
