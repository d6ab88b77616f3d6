// One *.safetensors file: named arrays of numbers, looked at where they lie.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/mapped_file.h"

namespace grym {

enum class ElementType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };
int64_t ElementBytes(ElementType type);     // of one element
const char* ElementName(ElementType type);  // as in the file: "F32", "BF16", "BOOL"

struct TensorEntry {
  std::string name;
  ElementType type = ElementType::kF32;
  std::vector<int64_t> shape;  // outermost first; empty for a single number
  int64_t offset = 0;          // of the first byte, from the start of the file
  int64_t bytes = 0;           // product of shape times ElementBytes(type); 0 where a side is 0

  int64_t elements() const { return bytes / ElementBytes(type); }
  // Whether its first byte may be read through a pointer to the type. Old files hold tensors at odd places.
  bool aligned() const { return offset % ElementBytes(type) == 0; }
};

// "[2, 3]", for messages.
std::string ShapeText(std::span<const int64_t> shape);

inline constexpr int64_t kMostTensorFileBytes = int64_t{64} << 30;
inline constexpr int64_t kMostTensorHeaderBytes = int64_t{16} << 20;
inline constexpr size_t kMostTensors = 100'000;
inline constexpr size_t kMostTensorNameBytes = 1024;
inline constexpr size_t kMostTensorRank = 8;

// Source: the format's description, https://github.com/huggingface/safetensors (README, "Format"): 8 bytes length N,
// little-endian; N bytes of JSON {name: {dtype, shape, data_offsets: [begin, end)}, "__metadata__": {text: text}};
// the data. Differs: limits above; types of 8 bits, 4 and 6 bits, unsigned types above 8 bits and complex ones are
// refused. Little-endian machines only, like the format's own library.
// Threads: const methods may run together.
class TensorFile {
 public:
  // Reads the header and maps the rest. Every size is checked against the file's length before memory is taken for it.
  // Errors as of MappedFile::Open, and: InvalidArgument (code "not_safetensors") for a file that is something else, a
  // pickle is named as such; DataLoss ("bad_safetensors") for one that is damaged: cut, overlapping tensors, holes,
  // bytes that belong to none, two of one name; ResourceExhausted ("checkpoint_limit") with both numbers beyond a
  // limit; Unimplemented ("unsupported_dtype") with the tensor's name and type.
  static absl::StatusOr<TensorFile> Open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::string& name() const { return file_.name(); }           // quoted, safe for messages
  int64_t size() const { return file_.size(); }                      // of the whole file
  std::span<const TensorEntry> entries() const { return entries_; }  // by name; stays when the file is moved
  const TensorEntry* Find(std::string_view name) const;              // nullptr when there is none
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

  // A view that lives as long as this file. DataLoss (code "file_changed") when the file was cut short since it was
  // opened; InvalidArgument ("bad_entry") for an entry of another file that does not fit this one.
  absl::StatusOr<std::span<const std::byte>> Bytes(const TensorEntry& entry) const;
  void Prefetch(const TensorEntry& entry) const;  // its pages will be read soon
  void Forget(const TensorEntry& entry) const;    // its pages need not stay in memory; reading them again is legal

 private:
  TensorFile(MappedFile file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  absl::Status ReadHeader();
  bool Holds(const TensorEntry& entry) const;
  MappedFile file_;
  std::filesystem::path path_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace grym
