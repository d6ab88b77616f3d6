#include "checkpoint/tensor_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/content.h"
#include "checkpoint/inside.h"

namespace grym {
namespace {

using WeightPath = std::filesystem::path;

constexpr const char* kWeightFiles[] = {"model.safetensors", "diffusion_pytorch_model.safetensors",
                                        "model.safetensors.index.json",
                                        "diffusion_pytorch_model.safetensors.index.json"};
constexpr size_t kMostListed = 5;

absl::Status BadIndex(const std::string& where, const std::string& what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_index", where + ": " + what);
}

// The first names of a list, quoted, and how many more there are.
std::string FirstNames(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kMostListed); ++i) shown.push_back(QuotedName(names[i]));
  std::string text = Join(shown, ", ");
  if (names.size() > kMostListed) text += Formatted(" and %d more", names.size() - kMostListed);
  return text;
}

absl::Status PickleRefused(const WeightPath& folder, const std::string& file) {
  return Error(absl::StatusCode::kFailedPrecondition, "pickle_refused",
               QuotedPath(folder) + ": want safetensors, got " + QuotedName(file) +
                   ", a pickle, which may run code when it is opened. Convert it once: python -m grymsynth.convert " +
                   QuotedPath(folder));
}

// What lies in a folder that has none of the usual names.
struct OtherWeights {
  std::vector<std::string> safetensors, pickles, foreign;  // sorted
};

absl::StatusOr<OtherWeights> ListOtherWeights(const WeightPath& folder) {
  OtherWeights found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string(), type = at->path().extension().string();
    if (type == ".safetensors") found.safetensors.push_back(name);
    if (type == ".bin" || type == ".ckpt" || type == ".pt" || type == ".pth") found.pickles.push_back(name);
    if (type == ".h5" || type == ".msgpack") found.foreign.push_back(name);
  }
  if (error)
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", QuotedPath(folder) + ": " + error.message());
  for (auto* names : {&found.safetensors, &found.pickles, &found.foreign}) std::sort(names->begin(), names->end());
  return found;
}

// The index's own words: file name -> tensors that it is to hold, sorted.
absl::StatusOr<std::map<std::string, std::vector<std::string>>> ReadWeightMap(const WeightPath& index) {
  const std::string where = QuotedPath(index);
  GRYM_ASSIGN_OR_RETURN(const Json json, ReadJsonObject(index, kMostIndexBytes, "bad_index"));
  const Json& weights = json.at("weight_map");
  if (!weights.is_object())
    return BadIndex(where, std::string("weight_map: want an object, got ") + weights.type_name());
  if (weights.size() == 0) return BadIndex(where, "weight_map: want tensors, got none");
  std::map<std::string, std::vector<std::string>> files;
  for (const auto& [tensor, file] : weights.members()) {
    if (!file.is_string())
      return BadIndex(where, "weight_map: " + QuotedName(tensor) + ": want a file name, got " + file.type_name());
    files[file.text()].push_back(tensor);
  }
  if (weights.size() <= kMostTensors && files.size() <= kMostShards) return files;
  return Error(absl::StatusCode::kResourceExhausted, "checkpoint_limit",
               Formatted("%s: want at most %d tensors in %d files, got %d in %d", where, kMostTensors, kMostShards,
                         weights.size(), files.size()));
}

// Whether a file holds what the index says, all of it and nothing else.
absl::Status CheckShard(const std::string& index, const TensorFile& file, const std::vector<std::string>& wanted) {
  std::vector<std::string> held, missing, unlisted;
  for (const TensorEntry& entry : file.entries()) held.push_back(entry.name);
  std::set_difference(wanted.begin(), wanted.end(), held.begin(), held.end(), std::back_inserter(missing));
  std::set_difference(held.begin(), held.end(), wanted.begin(), wanted.end(), std::back_inserter(unlisted));
  if (!missing.empty()) return BadIndex(index, file.name() + " lacks " + FirstNames(missing));
  if (!unlisted.empty())
    return BadIndex(index, file.name() + " holds " + FirstNames(unlisted) + ", which the index has not, or elsewhere");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TensorSet> TensorSet::Open(const std::filesystem::path& path) {
  TensorSet set;
  set.path_ = path;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    GRYM_RETURN_IF_ERROR(set.TakeFolder(path));
  } else {
    GRYM_ASSIGN_OR_RETURN(const FileContent content, TellFileContent(path));
    if (content == FileContent::kPickle) {
      return PickleRefused(path.has_parent_path() ? path.parent_path() : WeightPath("."), path.filename().string());
    }
    GRYM_RETURN_IF_ERROR(content == FileContent::kJsonObject ? set.TakeIndex(path) : set.TakeFile(path));
  }
  set.Gather();
  return set;
}

absl::Status TensorSet::TakeFile(const std::filesystem::path& file) {
  GRYM_ASSIGN_OR_RETURN(TensorFile opened, TensorFile::Open(file));
  files_.push_back(std::move(opened));
  return absl::OkStatus();
}

absl::Status TensorSet::TakeIndex(const std::filesystem::path& index) {
  GRYM_ASSIGN_OR_RETURN(const auto shards, ReadWeightMap(index));
  const std::string where = QuotedPath(index);
  const WeightPath folder = index.has_parent_path() ? index.parent_path() : WeightPath(".");
  size_t tensors = 0;
  for (const auto& [name, wanted] : shards) {
    const absl::StatusOr<WeightPath> file = FileInside(folder, name);
    if (!file.ok()) return Annotate(file.status(), where);
    GRYM_RETURN_IF_ERROR(TakeFile(*file));
    tensors += files_.back().entries().size();
    if (tensors > kMostTensors) {
      return Error(absl::StatusCode::kResourceExhausted, "checkpoint_limit",
                   Formatted("%s: want at most %d tensors in all files, got more", where, kMostTensors));
    }
  }
  // Two files with one tensor: one of the two is not where the index says. Named with both.
  std::map<std::string_view, const TensorFile*> holders;
  for (const TensorFile& file : files_) {
    for (const TensorEntry& entry : file.entries()) {
      const auto [at, first] = holders.emplace(entry.name, &file);
      if (!first)
        return BadIndex(where, QuotedName(entry.name) + " lies in " + at->second->name() + " and in " + file.name());
    }
  }
  size_t i = 0;
  for (const auto& [name, wanted] : shards) GRYM_RETURN_IF_ERROR(CheckShard(where, files_[i++], wanted));
  return absl::OkStatus();
}

absl::Status TensorSet::TakeFolder(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const char* name : kWeightFiles) {
    const WeightPath file = folder / name;
    if (std::filesystem::exists(std::filesystem::symlink_status(file, ignored)))
      return file.extension() == ".json" ? TakeIndex(file) : TakeFile(file);
  }
  GRYM_ASSIGN_OR_RETURN(const OtherWeights other, ListOtherWeights(folder));
  if (other.safetensors.size() == 1) return TakeFile(folder / other.safetensors[0]);
  if (other.safetensors.size() > 1) {
    return Error(absl::StatusCode::kInvalidArgument, "ambiguous_weights",
                 QuotedPath(folder) + ": want model.safetensors or an index, got " + FirstNames(other.safetensors) +
                     ": give the one that is meant");
  }
  if (!other.pickles.empty()) return PickleRefused(folder, other.pickles[0]);
  if (!other.foreign.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "pickle_refused",
                 QuotedPath(folder) + ": want safetensors, got " + FirstNames(other.foreign) +
                     " of TensorFlow or Flax: take the model's PyTorch weights and convert them: python -m "
                     "grymsynth.convert " +
                     QuotedPath(folder));
  }
  return Error(absl::StatusCode::kNotFound, "no_weights",
               QuotedPath(folder) +
                   ": want model.safetensors, diffusion_pytorch_model.safetensors or the index of one, got none");
}

void TensorSet::Gather() {
  std::vector<TensorPlace> places;
  for (const TensorFile& file : files_) {
    for (const TensorEntry& entry : file.entries()) places.push_back({&file, &entry});
  }
  std::sort(places.begin(), places.end(),
            [](const TensorPlace& a, const TensorPlace& b) { return a.entry->name < b.entry->name; });
  places_ = std::move(places);
  names_.reserve(places_.size());
  for (const TensorPlace& place : places_) names_.push_back(place.entry->name);
}

std::optional<TensorPlace> TensorSet::Find(std::string_view name) const {
  const auto at = std::lower_bound(names_.begin(), names_.end(), name);
  if (at == names_.end() || *at != name) return std::nullopt;
  return places_[static_cast<size_t>(at - names_.begin())];
}

int64_t TensorSet::bytes() const {
  int64_t sum = 0;
  for (const TensorPlace& place : places_) sum += place.entry->bytes;
  return sum;
}

}  // namespace grym
