#include "checkpoint/tensor_file.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/content.h"

namespace grym {
namespace {

struct NamedType {
  const char* name;
  ElementType type;
  int64_t bytes;
};
// In the order of ElementType.
constexpr NamedType kNamedTypes[] = {{"F64", ElementType::kF64, 8}, {"F32", ElementType::kF32, 4},
                                     {"F16", ElementType::kF16, 2}, {"BF16", ElementType::kBF16, 2},
                                     {"I64", ElementType::kI64, 8}, {"I32", ElementType::kI32, 4},
                                     {"I16", ElementType::kI16, 2}, {"I8", ElementType::kI8, 1},
                                     {"U8", ElementType::kU8, 1},   {"BOOL", ElementType::kBool, 1}};
// Of the format, but of no model that is read here. Source: safetensors 0.8, tensor.rs, enum Dtype.
constexpr const char* kRefusedTypes[] = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4",
                                         "F6_E2M3", "F6_E3M2", "U16",     "U32",         "U64",         "C64"};
constexpr int64_t kLengthBytes = 8;

absl::Status DamagedTensors(const std::string& where, const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "bad_safetensors", where + ": " + what);
}

absl::Status BeyondTensorLimit(const std::string& where, const char* what, size_t most, size_t got) {
  return Error(absl::StatusCode::kResourceExhausted, "checkpoint_limit",
               Formatted("%s: want at most %d %s, got %d", where, most, what, got));
}

// a * b for numbers from 0; nothing beyond int64.
std::optional<int64_t> CheckedProduct(int64_t a, int64_t b) {
  if (a != 0 && b > std::numeric_limits<int64_t>::max() / a) return std::nullopt;
  return a * b;
}

absl::Status ReadElementType(const Json& json, const std::string& where, ElementType& type) {
  if (!json.is_string()) return DamagedTensors(where, std::string("dtype: want a name, got ") + json.type_name());
  for (const NamedType& known : kNamedTypes) {
    if (json.text() != known.name) continue;
    type = known.type;
    return absl::OkStatus();
  }
  const bool refused = std::any_of(std::begin(kRefusedTypes), std::end(kRefusedTypes),
                                   [&](const char* name) { return json.text() == name; });
  if (!refused) return DamagedTensors(where, "dtype: unknown type " + QuotedName(json.text()));
  return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
               where + ": want F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got " + json.text() +
                   ", which no model of ours uses: take the model in one of these types");
}

// A list of whole numbers from 0, at most `most` of them.
absl::Status ReadSizes(const Json& json, const std::string& where, const char* what, std::vector<int64_t>& sizes) {
  if (!json.is_array()) return DamagedTensors(where, Formatted("%s: want a list, got %s", what, json.type_name()));
  if (json.size() > kMostTensorRank) return BeyondTensorLimit(where, "sides of a tensor", kMostTensorRank, json.size());
  for (const Json& item : json.items()) {
    const int64_t size = item.is_integer() ? item.integer(-1) : -1;
    if (size < 0) {
      const std::string got = item.is_number() ? Printable(item.Dump(), 64) : item.type_name();
      return DamagedTensors(where, Formatted("%s: want whole numbers from 0, got %s", what, got));
    }
    sizes.push_back(size);
  }
  return absl::OkStatus();
}

// One member of the header. `data_bytes` is what follows it, from `data_offset` on.
absl::Status ReadEntry(const Json& json, const std::string& where, int64_t data_offset, int64_t data_bytes,
                       TensorEntry& entry) {
  if (!json.is_object()) return DamagedTensors(where, std::string("want an object, got ") + json.type_name());
  GRYM_RETURN_IF_ERROR(ReadElementType(json.at("dtype"), where, entry.type));
  GRYM_RETURN_IF_ERROR(ReadSizes(json.at("shape"), where, "shape", entry.shape));
  std::vector<int64_t> range;
  GRYM_RETURN_IF_ERROR(ReadSizes(json.at("data_offsets"), where, "data_offsets", range));
  if (json.size() != 3) return DamagedTensors(where, "want dtype, shape and data_offsets, got more");
  if (range.size() != 2 || range[0] > range[1] || range[1] > data_bytes) {
    return DamagedTensors(where, Formatted("data_offsets: want [begin, end] within %d bytes of data, got %s",
                                           data_bytes, ShapeText(range)));
  }
  std::optional<int64_t> bytes = ElementBytes(entry.type);
  // A side of 0 makes the product 0 whatever the others are.
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  if (empty) bytes = 0;
  for (size_t i = 0; i < entry.shape.size() && bytes && !empty; ++i) bytes = CheckedProduct(*bytes, entry.shape[i]);
  if (!bytes || *bytes != range[1] - range[0]) {
    return DamagedTensors(
        where, Formatted("%s of shape %s want %s bytes, got %d", ElementName(entry.type), ShapeText(entry.shape),
                         bytes ? std::to_string(*bytes) : "more than 2^63", range[1] - range[0]));
  }
  entry.offset = data_offset + range[0];
  entry.bytes = *bytes;
  return absl::OkStatus();
}

// Whether the tensors lie one after the other, from `begin` to `end`.
absl::Status CheckNoGaps(const std::string& where, std::span<const TensorEntry> entries, int64_t begin, int64_t end) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(entries[a].offset, entries[a].bytes) < std::pair(entries[b].offset, entries[b].bytes);
  });
  const TensorEntry* before = nullptr;
  for (const size_t i : order) {
    const TensorEntry& entry = entries[i];
    if (entry.offset < begin) {
      return DamagedTensors(where,
                            "tensors " + QuotedName(before->name) + " and " + QuotedName(entry.name) + " overlap");
    }
    if (entry.offset > begin) {
      return DamagedTensors(
          where, Formatted("%d bytes before tensor %s belong to none", entry.offset - begin, QuotedName(entry.name)));
    }
    begin = entry.offset + entry.bytes;
    before = &entry;
  }
  if (begin == end) return absl::OkStatus();
  return DamagedTensors(where, Formatted("%d bytes after the last tensor belong to none", end - begin));
}

absl::Status ReadTensorMetadata(const Json& json, const std::string& where,
                                std::map<std::string, std::string, std::less<>>& metadata) {
  if (!json.is_object())
    return DamagedTensors(where, std::string("__metadata__: want an object, got ") + json.type_name());
  for (const auto& [key, value] : json.members()) {
    if (!value.is_string())
      return DamagedTensors(where, "__metadata__: " + QuotedName(key) + ": want text, got " + value.type_name());
    metadata.emplace(key, value.text());
  }
  return absl::OkStatus();
}

// The length that the file starts with, once it is known to be a safetensors file that holds as much.
absl::StatusOr<int64_t> HeaderLength(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != std::byte{'{'}) {
    const FileContent content = TellContent(bytes);
    const char* hint = content == FileContent::kPickle ? "; convert it: python -m grymsynth.convert FOLDER" : "";
    return Error(absl::StatusCode::kInvalidArgument, "not_safetensors",
                 Formatted("%s: want a safetensors file, got %s of %d bytes%s", where, ContentName(content),
                           bytes.size(), hint));
  }
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  const uint64_t rest = bytes.size() - kLengthBytes;
  if (length > rest) {
    return DamagedTensors(
        where, Formatted("cut off, or no safetensors file: its header is to have %d bytes, %d follow", length, rest));
  }
  if (length > static_cast<uint64_t>(kMostTensorHeaderBytes))
    return BeyondTensorLimit(where, "bytes of header", kMostTensorHeaderBytes, length);
  return static_cast<int64_t>(length);
}

}  // namespace

int64_t ElementBytes(ElementType type) { return kNamedTypes[static_cast<size_t>(type)].bytes; }
const char* ElementName(ElementType type) { return kNamedTypes[static_cast<size_t>(type)].name; }

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

absl::StatusOr<TensorFile> TensorFile::Open(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path, kMostTensorFileBytes));
  TensorFile file(std::move(mapped), path);
  GRYM_RETURN_IF_ERROR(file.ReadHeader());
  return file;
}

absl::Status TensorFile::ReadHeader() {
  GRYM_RETURN_IF_ERROR(file_.CheckLength());
  GRYM_ASSIGN_OR_RETURN(const int64_t length, HeaderLength(file_.bytes(), name()));
  const auto* text = reinterpret_cast<const char*>(file_.bytes().data() + kLengthBytes);
  GRYM_ASSIGN_OR_RETURN(const Json header,
                        ParseBounded({text, static_cast<size_t>(length)}, name(), "bad_safetensors"));
  const Json* metadata = header.find("__metadata__");
  const size_t tensors = header.size() - (metadata ? 1 : 0);
  if (tensors > kMostTensors) return BeyondTensorLimit(name(), "tensors", kMostTensors, tensors);
  if (metadata) GRYM_RETURN_IF_ERROR(ReadTensorMetadata(*metadata, name(), metadata_));
  const int64_t data = kLengthBytes + length;
  entries_.reserve(tensors);
  for (const auto& [key, value] : header.members()) {
    if (&value == metadata) continue;
    if (key.size() > kMostTensorNameBytes)
      return BeyondTensorLimit(name(), "bytes of a tensor's name", kMostTensorNameBytes, key.size());
    TensorEntry entry;
    GRYM_RETURN_IF_ERROR(ReadEntry(value, name() + ": tensor " + QuotedName(key), data, size() - data, entry));
    entry.name = key;
    entries_.push_back(std::move(entry));
  }
  return CheckNoGaps(name(), entries_, data, size());
}

const TensorEntry* TensorFile::Find(std::string_view name) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const TensorEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

bool TensorFile::Holds(const TensorEntry& entry) const {
  return entry.offset >= 0 && entry.bytes >= 0 && entry.offset <= size() && entry.bytes <= size() - entry.offset;
}

absl::StatusOr<std::span<const std::byte>> TensorFile::Bytes(const TensorEntry& entry) const {
  if (!Holds(entry)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_entry",
                 name() + ": tensor " + QuotedName(entry.name) + " is not of this file");
  }
  GRYM_RETURN_IF_ERROR(file_.CheckLength());
  return file_.bytes().subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.bytes));
}

void TensorFile::Prefetch(const TensorEntry& entry) const {
  if (Holds(entry)) file_.Prefetch(entry.offset, entry.bytes);
}

void TensorFile::Forget(const TensorEntry& entry) const {
  if (Holds(entry)) file_.Forget(entry.offset, entry.bytes);  // beyond it lies memory of others, which would be emptied
}

}  // namespace grym
