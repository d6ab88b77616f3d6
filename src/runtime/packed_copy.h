// A packed copy of a model: a checkpoint folder of our own whose matrices lie in the file as loaders keep them, so that
// opening it converts nothing. Configs and tokenizer files are those of the folder that it was made from.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/tensor_set.h"
#include "runtime/kept_weights.h"
#include "runtime/model_context.h"

namespace grym {

inline constexpr char kPackedCopyMember[] = "grymsynth_packed";  // of config.json
// Of the entry, of the names and sums in model.safetensors, and of packed matrices (quant/layout.h). Version 1, which is
// read too, is the same; what of it a model keeps otherwise since is its loader's to refuse.
inline constexpr int64_t kPackedCopyVersion = 2, kOldestPackedCopyVersion = 1;
inline constexpr int64_t kPackedCopyGroup = 64;

// {"version": 2, "group": 64, "source": "<64 digits>", "dtypes": {"decoder": "int8", ...}}
struct PackedCopyEntry {
  std::map<std::string, Precision> dtypes;  // of each component
  std::string source;                       // what the model that it was made from is told by, in hexadecimal digits
  int64_t version = kPackedCopyVersion;
};

// Nothing where `config` has no such entry. DataLoss (code "bad_packed_copy") for one that is damaged or lacks one of
// `components`; FailedPrecondition ("other_packed_version") for another version's. `where` starts the message.
absl::StatusOr<std::optional<PackedCopyEntry>> ReadPackedCopyEntry(const Json& config, const std::string& where,
                                                                   const std::vector<std::string>& components);
// FailedPrecondition (code "other_packed_version"): `wanted` says what version is, `got` what came.
absl::Status OtherPackedVersion(const std::string& where, const std::string& wanted, const std::string& got);
// `context` with the numbers that the copy is kept in. InvalidArgument (code "other_precision") where others are asked
// for by name: of a component by its own, of `main` by the dtype of all as well, which may leave others in more bits.
absl::StatusOr<ModelContext> ContextOfPackedCopy(const PackedCopyEntry& entry, ModelContext context,
                                                 const std::string& main, const std::string& where);

// Writes the copy of `folder` to a folder `out`: `kept`, and of `set` what that does not replace, with a sum of each
// tensor. Errors as of WriteWholeFolder, ReadFile and TensorFile::Bytes; Cancelled between pieces.
absl::Status WritePackedCopy(const ModelFolder& folder, const TensorSet& set, const KeptWeights& kept,
                             const PackedCopyEntry& entry, const std::filesystem::path& out, const RunOptions& run);

}  // namespace grym
