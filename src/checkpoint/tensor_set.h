// The weights of one model, whether they lie in one file or in many.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_file.h"

namespace grym {

inline constexpr size_t kMostShards = 1024;

// Where a tensor lies. Borrowed from the set, also after the set was moved.
struct TensorPlace {
  const TensorFile* file = nullptr;
  const TensorEntry* entry = nullptr;
};

// Threads: const methods may run together.
class TensorSet {
 public:
  // `path` is one of:
  // - a *.safetensors file, told by its content;
  // - an index, {"weight_map": {tensor: file name}}, whose files lie in its own folder. A name may be a link to a
  //   regular file of that folder, or of the blobs beside its snapshots as the Hugging Face cache lays them out;
  // - a folder: model.safetensors, else diffusion_pytorch_model.safetensors, else model.safetensors.index.json, else
  //   diffusion_pytorch_model.safetensors.index.json, else the only *.safetensors file that is there.
  // Errors as of TensorFile::Open, and: NotFound (code "no_weights") with what was looked for; FailedPrecondition
  // ("pickle_refused") with the command that converts it, where there are pickled weights alone; InvalidArgument
  // ("bad_index") for an index that is none, names a file outside, or disagrees with its files, with the tensors'
  // names; ResourceExhausted ("checkpoint_limit").
  static absl::StatusOr<TensorSet> Open(const std::filesystem::path& path);

  const std::vector<std::string>& names() const { return names_; }  // sorted
  bool contains(std::string_view name) const { return Find(name).has_value(); }
  std::optional<TensorPlace> Find(std::string_view name) const;
  // The place of names()[i].
  const TensorPlace& place(size_t i) const { return places_[i]; }
  size_t size() const { return names_.size(); }
  int64_t bytes() const;  // of all tensors
  std::span<const TensorFile> files() const { return files_; }
  const std::filesystem::path& path() const { return path_; }  // that was opened

 private:
  TensorSet() = default;
  absl::Status TakeFile(const std::filesystem::path& file);
  absl::Status TakeIndex(const std::filesystem::path& index);
  absl::Status TakeFolder(const std::filesystem::path& folder);
  void Gather();  // names_ and places_ from files_

  std::filesystem::path path_;
  std::vector<TensorFile> files_;  // not touched once places_ is made
  std::vector<std::string> names_;
  std::vector<TensorPlace> places_;
};

}  // namespace grym
