// A packed copy of a MusicGen folder: read once as for a run, and written as it was kept.
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/status.h"
#include "checkpoint/content.h"
#include "models/musicgen/decoder.h"
#include "models/musicgen/native_nets.h"
#include "runtime/torch_guard.h"

namespace grym {

absl::Status NativeMusicgenNets::CheckCanBeCopied() const {
  const Precision decoder = context_.PrecisionOf("decoder");
  if (aside()) {
    return Error(absl::StatusCode::kFailedPrecondition, "packed_for_cpu",
                 QuotedPath(folder_) + ": want a model that is opened on the device \"cpu\", whose kernels a copy is "
                                       "packed for, got one on " + context_.device.str());
  }
  if (copy_) {
    return Error(absl::StatusCode::kFailedPrecondition, "nothing_to_pack",
                 QuotedPath(folder_) + ": want a published folder, got a packed copy: copy its files");
  }
  if (decoder == Precision::kFloat32) {
    return Error(absl::StatusCode::kFailedPrecondition, "nothing_to_pack",
                 QuotedPath(folder_) + ": want a model that is opened in int8, int4, float16 or bfloat16, got float32, "
                                       "which is what the folder holds");
  }
  if (context_.PrecisionOf("text_encoder") == Precision::kBFloat16x3) {
    return Error(absl::StatusCode::kFailedPrecondition, "nothing_to_pack",
                 QuotedPath(folder_) + ": want a text_encoder that is opened in another dtype, got bfloat16x3, whose "
                                       "weights are float32: float32 keeps the same in a copy");
  }
  return absl::OkStatus();
}

// What is kept, and beside it the largest matrix in float32, whole and a part of it.
int64_t NativeMusicgenNets::CopyingBytes() const {
  const MusicgenBytes bytes = Bytes({});
  const int64_t dim = config_.hidden, text = config_.text.d_model;
  const int64_t most = std::max({3 * dim * dim, dim * config_.ffn, dim * config_.books * config_.vocab_size,
                                 3 * config_.text.num_heads * config_.text.d_kv * text, 2 * config_.text.d_ff * text});
  return bytes.text_weights + bytes.decoder_weights + 8 * most + dim * config_.vocab_size * 4;
}

absl::Status NativeMusicgenNets::SaveCopy(const std::filesystem::path& out, const RunOptions& run) const {
  GRYM_RETURN_IF_ERROR(CheckCanBeCopied());
  GRYM_RETURN_IF_ERROR(CheckNewFolder(out));  // packing takes its time
  GRYM_ASSIGN_OR_RETURN(const ModelFolder folder, ModelFolder::Open(folder_));
  PackedCopyEntry entry;
  entry.source = fingerprint();
  for (const char* component : {"text_encoder", "decoder", "audio_encoder"})
    entry.dtypes[component] = context_.PrecisionOf(component);
  entry.dtypes["audio_encoder"] = kMusicgenCodecPrecision;
  const auto ask = [&](int64_t) -> absl::StatusOr<LeaseAsk> {
    return LeaseAsk{"a copy of " + QuotedPath(folder_), nullptr, CopyingBytes(), {}, 0};
  };
  GRYM_ASSIGN_OR_RETURN(const MemoryLease lease, context_.Lease(ask, run));
  const BudgetScope scope(lease);
  return TorchGuard("musicgen", [&]() -> absl::Status {
    KeptWeights kept;
    const auto options = [&](const char* component) {
      return WeightOptions{.precision = context_.PrecisionOf(component), .device = context_.device,
                           .cancel = run.cancel, .keep = &kept};
    };
    ProgressReporter progress(run);
    progress.Report(0, "pack the decoder");
    GRYM_RETURN_IF_ERROR(MusicgenDecoder::Load(*set_, config_, options("decoder"), "decoder.").status());
    progress.Report(0.4, "pack the text encoder");
    GRYM_RETURN_IF_ERROR(T5Encoder::Load(*set_, config_.text, options("text_encoder"), "text_encoder.").status());
    progress.Report(0.5, "write");
    const RunOptions writing = PartOf(run, 0.5, 1);
    return WritePackedCopy(folder, *set_, kept, entry, out, writing);
  });
}

}  // namespace grym
