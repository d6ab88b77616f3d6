#include "runtime/packed_copy.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/format.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/status.h"
#include "checkpoint/bytes_sum.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/content.h"
#include "checkpoint/tensor_writer.h"

namespace grym {
namespace {

using CopyPath = std::filesystem::path;

constexpr int64_t kMostCopiedFileBytes = int64_t{64} << 20;  // a tokenizer's limit, the largest of ours
constexpr size_t kPieceOfCopy = size_t{8} << 20;

// Texts that say what the model is: not its weights, and no code.
bool GoesIntoCopy(const CopyPath& name) {
  const std::string text = name.string(), type = name.extension().string();
  if (text == "config.json" || text.ends_with(".index.json")) return false;
  return type == ".json" || type == ".txt" || type == ".model" || type == ".md" || text.starts_with("LICENSE") ||
         text.starts_with("NOTICE");
}

absl::Status CopyTexts(const CopyPath& from, const CopyPath& to) {
  std::error_code error, ignored;
  for (std::filesystem::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const CopyPath name = at->path().filename();
    if (!GoesIntoCopy(name) || !at->is_regular_file(ignored)) continue;
    GRYM_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(at->path(), kMostCopiedFileBytes));
    GRYM_RETURN_IF_ERROR(WriteFile(to / name, bytes));
  }
  if (!error) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", QuotedPath(from) + ": " + error.message());
}

Json JsonOfEntry(const PackedCopyEntry& entry) {
  Json json = Json::Object();
  json["version"] = kPackedCopyVersion;
  json["group"] = kPackedCopyGroup;
  json["source"] = entry.source;
  Json& dtypes = json["dtypes"] = Json::Object();
  for (const auto& [component, precision] : entry.dtypes) dtypes[component] = PrecisionName(precision);
  return json;
}

ElementType ElementOf(c10::ScalarType type) {
  switch (type) {
    case c10::ScalarType::Byte: return ElementType::kU8;
    case c10::ScalarType::Char: return ElementType::kI8;
    case c10::ScalarType::Half: return ElementType::kF16;
    case c10::ScalarType::BFloat16: return ElementType::kBF16;
    default: return ElementType::kF32;
  }
}

std::span<const std::byte> BytesOfTensor(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

// The tensors of a copy, and how far it is.
class CopyOfTensors {
 public:
  explicit CopyOfTensors(const RunOptions& run) : run_(run), progress_(run) {}

  void AddKept(const KeptWeights::Kept& kept) {
    const at::Tensor& tensor = kept.tensor;
    Add({kept.name, ElementOf(tensor.scalar_type()), tensor.sizes().vec(),
         [this, tensor](const TensorSink& sink) { return Give(BytesOfTensor(tensor), sink); }},
        BytesOfTensor(tensor));
  }

  absl::Status AddPlace(const TensorPlace& place) {
    GRYM_RETURN_IF_ERROR(run_.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const auto bytes, place.file->Bytes(*place.entry));
    Add({place.entry->name, place.entry->type, place.entry->shape,
         [this, place](const TensorSink& sink) -> absl::Status {
           GRYM_ASSIGN_OR_RETURN(const auto again, place.file->Bytes(*place.entry));
           GRYM_RETURN_IF_ERROR(Give(again, sink));
           place.file->Forget(*place.entry);
           return absl::OkStatus();
         }},
        bytes);
    place.file->Forget(*place.entry);
    return absl::OkStatus();
  }

  // Whole multiples of 64 bytes first, then the wider elements: then each tensor is aligned.
  absl::Status Write(const CopyPath& path) {
    const auto rank = [](const TensorToWrite& tensor) {
      int64_t bytes = ElementBytes(tensor.type);
      const int64_t element = bytes;
      for (const int64_t side : tensor.shape) bytes *= side;
      return bytes % kTensorAlignment == 0 ? 2 * kTensorAlignment : element;
    };
    std::stable_sort(tensors_.begin(), tensors_.end(), [&](const TensorToWrite& a, const TensorToWrite& b) {
      return rank(a) > rank(b);
    });
    return WriteTensorFile(path, tensors_, metadata_);
  }

 private:
  void Add(TensorToWrite tensor, std::span<const std::byte> bytes) {
    metadata_[kSumOfTensor + tensor.name] = SumText(SumOfBytes(bytes));
    whole_bytes_ += bytes.size();
    tensors_.push_back(std::move(tensor));
  }
  absl::Status Give(std::span<const std::byte> bytes, const TensorSink& sink) {
    for (size_t at = 0; at < bytes.size(); at += kPieceOfCopy) {
      GRYM_RETURN_IF_ERROR(run_.cancel.Check());
      const size_t count = std::min(kPieceOfCopy, bytes.size() - at);
      GRYM_RETURN_IF_ERROR(sink(bytes.subspan(at, count)));
      given_bytes_ += count;
      progress_.Report(static_cast<double>(given_bytes_) / static_cast<double>(whole_bytes_), "write");
    }
    return absl::OkStatus();
  }

  const RunOptions& run_;
  ProgressReporter progress_;
  std::vector<TensorToWrite> tensors_;
  std::map<std::string, std::string> metadata_ = {{"format", "pt"}};
  size_t whole_bytes_ = 0, given_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::optional<PackedCopyEntry>> ReadPackedCopyEntry(const Json& config, const std::string& where,
                                                                   const std::vector<std::string>& components) {
  const Json* const json = config.find(kPackedCopyMember);
  if (!json) return std::nullopt;
  const std::string here = where + "/" + kPackedCopyMember;
  // Before all else: what another version's entry means nobody knows.
  const Json& said = json->at("version");
  if (said.is_integer() && (said.integer() < kOldestPackedCopyVersion || said.integer() > kPackedCopyVersion)) {
    return OtherPackedVersion(where, Formatted("version %d", kPackedCopyVersion), Formatted("%d", said.integer()));
  }
  int64_t group = 0;
  PackedCopyEntry entry;
  ConfigReader fields(*json, here);
  fields.Int("version", &entry.version, {.minimum = 1, .required = true});
  fields.Int("group", &group, {.minimum = kPackedCopyGroup, .maximum = kPackedCopyGroup, .required = true});
  fields.Text("source", &entry.source, {.required = true});
  const bool digits = entry.source.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!entry.source.empty() && (!digits || entry.source.size() != 64))
    fields.Contradiction("source", "want 64 hexadecimal digits, got something else");
  ConfigReader& dtypes = fields.Nested("dtypes", {.required = true});
  for (const std::string& component : components) {
    std::string name;
    dtypes.Text(component, &name,
                {.choices = {"float32", "bfloat16", "float16", "int8", "int4"}, .required = true});
    entry.dtypes[component] = ParsePrecision(name).value_or(Precision::kFloat32);
  }
  const absl::Status status = fields.Finish();
  if (!status.ok()) return Error(absl::StatusCode::kDataLoss, "bad_packed_copy", std::string(status.message()));
  return entry;
}

absl::Status OtherPackedVersion(const std::string& where, const std::string& wanted, const std::string& got) {
  return Error(absl::StatusCode::kFailedPrecondition, "other_packed_version",
               Formatted("%s/%s: want %s, got %s: a packed copy that another version of grymsynth made; make it again "
                         "from the published folder", where, kPackedCopyMember, wanted, got));
}

absl::StatusOr<ModelContext> ContextOfPackedCopy(const PackedCopyEntry& entry, ModelContext context,
                                                 const std::string& main, const std::string& where) {
  for (const auto& [component, kept] : entry.dtypes) {
    const auto own = context.options.component_dtypes.find(component);
    const bool named = own != context.options.component_dtypes.end();
    const std::string asked = named ? own->second : component == main ? context.options.dtype : "";
    if (!asked.empty() && asked != PrecisionName(kept)) {
      return Error(absl::StatusCode::kInvalidArgument, "other_precision",
                   Formatted("%s: want %s of the component \"%s\", got a packed copy that holds it in %s: leave its "
                             "dtype out, or open the folder that the copy was made from",
                             where, asked, component, PrecisionName(kept)));
    }
  }
  for (const auto& [component, kept] : entry.dtypes) context.options.component_dtypes[component] = PrecisionName(kept);
  return context;
}

absl::Status WritePackedCopy(const ModelFolder& folder, const TensorSet& set, const KeptWeights& kept,
                             const PackedCopyEntry& entry, const std::filesystem::path& out, const RunOptions& run) {
  return WriteWholeFolder(out, [&](const CopyPath& to) -> absl::Status {
    GRYM_RETURN_IF_ERROR(CopyTexts(folder.folder(), to));
    Json config = folder.config();
    config[kPackedCopyMember] = JsonOfEntry(entry);
    GRYM_RETURN_IF_ERROR(WriteFile(to / "config.json", config.Dump(2) + "\n"));
    CopyOfTensors tensors(run);
    for (const KeptWeights::Kept& each : kept.tensors()) tensors.AddKept(each);
    for (size_t i = 0; i < set.size(); ++i) {
      if (!kept.Replaces(set.names()[i])) GRYM_RETURN_IF_ERROR(tensors.AddPlace(set.place(i)));
    }
    GRYM_RETURN_IF_ERROR(tensors.Write(to / "model.safetensors"));
    return run.cancel.Check();
  });
}

}  // namespace grym
