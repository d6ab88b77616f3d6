// MusicGen's real networks behind MusicgenNets: T5, the decoder and EnCodec out of one published folder. On a GPU the
// decoder is the one of device_decoder.h; T5 and EnCodec stay on the CPU, uncounted by the device's budget.
#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/model.h"
#include "grymsynth/tokenizer.h"
#include "models/encodec/config.h"
#include "models/encodec/decoder.h"
#include "models/encodec/encoder.h"
#include "models/musicgen/config.h"
#include "models/musicgen/nets.h"
#include "models/musicgen/pipeline.h"
#include "models/t5/encoder.h"
#include "runtime/component.h"
#include "runtime/model_context.h"
#include "runtime/packed_copy.h"

namespace grym {

// Threads: any. Everything that answers tensors' numbers is called under a TorchGuard and a BudgetScope.
class NativeMusicgenNets : public MusicgenNets {
 public:
  // Configs, tokenizer and headers are read; of weights the decoder's matrices alone, and only where float32 is asked
  // for, up to the first that does not fit float16: the plan, and ModelInfo, must know what they are kept in. Errors of
  // the configs; InvalidArgument (code "bad_config") where the decoder asks for books or codes that the codec has not;
  // `details` takes what the configs left over. A packed copy answers the same bits as the folder it was made from; its
  // errors are those of ReadPackedCopyEntry and ContextOfPackedCopy, FailedPrecondition (code
  // "other_packed_version") for one of a decoder in int4 from before some of its matrices had 8 bits, ("packed_for_cpu")
  // for any on a GPU that is asked for by name; with "auto" it is opened on the CPU.
  static absl::StatusOr<std::shared_ptr<const NativeMusicgenNets>> Open(const ModelFolder& folder,
                                                                        const ModelContext& context,
                                                                        MusicgenDetails* details);

  const MusicgenShape& shape() const override { return shape_; }
  const std::string& fingerprint() const override;
  absl::StatusOr<std::vector<int32_t>> Tokens(const std::string& text) const override {
    return tokenizer_->Encode(text);
  }
  absl::StatusOr<TextStates> EncodeText(std::span<const int32_t> ids, const CancelToken& cancel) const override;
  absl::StatusOr<std::shared_ptr<const CodeModel>> Network(const CancelToken& cancel) const override;
  absl::StatusOr<std::unique_ptr<SoundStream>> NewSound(const CancelToken& cancel) const override;
  absl::StatusOr<std::vector<int32_t>> EncodeSound(std::span<const float> wave, int64_t samples,
                                                   const CancelToken& cancel) const override;
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec(const std::string& id,
                                                       std::shared_ptr<const void> owner) const override;
  MusicgenBytes Bytes(const MusicgenWork& work) const override;
  void Drop(int parts) const override;
  void Claim(int parts, LeaseAsk& ask) const override;
  int64_t Idle(bool let_go) const override;
  absl::Status Hold(int parts, MemoryLease& lease, const CancelToken& cancel) const override;
  // Of int8, int4, float16 or bfloat16 weights: the decoder's matrices and tables and the text encoder's as they are kept
  // here, everything else as it lies in the checkpoint. Takes a lease on the weights of both.
  absl::Status SaveCopy(const std::filesystem::path& out, const RunOptions& run) const override;
  std::shared_ptr<const MusicgenNets> Alone() const override;
  // What Open was given; of a packed copy with the numbers that it holds.
  const ModelContext& context() const { return context_; }

 private:
  NativeMusicgenNets() = default;
  void MakeComponents();
  absl::Status ReadShape(const ModelFolder& folder);
  absl::Status PlaceCopy(const std::string& where);
  // The network alone runs on another device than the CPU; text encoder and codec are for the CPU and lie aside.
  bool aside() const { return !context_.device.is_cpu(); }
  Precision DecoderStorage() const;
  absl::Status CheckCanBeCopied() const;
  int64_t CopyingBytes() const;

  MusicgenConfig config_;
  EncodecConfig codec_;
  MusicgenShape shape_;
  ModelContext context_;
  std::filesystem::path folder_;
  std::optional<PackedCopyEntry> copy_;  // what is opened is a packed copy
  std::shared_ptr<const TensorSet> set_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<const Component<T5Encoder>> text_;
  std::unique_ptr<const Component<CodeModel>> decoder_;
  std::unique_ptr<const Component<EncodecDecoder>> sound_;
  std::unique_ptr<const Component<EncodecEncoder>> encoder_;
  mutable std::mutex mutex_;  // of what is found out when it is first asked for
  mutable std::string fingerprint_;
  mutable std::optional<Precision> storage_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenMusicgen(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
