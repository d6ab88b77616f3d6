#include "checkpoint/tensor_writer.h"

#include <cerrno>
#include <cstdio>
#include <set>
#include <utility>

#include "base/fs.h"
#include "base/json.h"
#include "base/status.h"

namespace grym {
namespace {

absl::Status BadTensor(const std::string& name, const std::string& why) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_tensor", "tensor \"" + Printable(name) + "\": " + why);
}

absl::StatusOr<int64_t> BytesToWrite(const TensorToWrite& tensor) {
  if (tensor.shape.size() > kMostTensorRank) {
    return BadTensor(tensor.name, "want a rank of at most " + std::to_string(kMostTensorRank) + ", got " +
                                      std::to_string(tensor.shape.size()));
  }
  int64_t bytes = ElementBytes(tensor.type);
  for (const int64_t side : tensor.shape) {
    if (side < 0 || (side > 0 && bytes > kMostTensorFileBytes / side)) {
      return BadTensor(tensor.name, "want sides of 0 or more and at most " + std::to_string(kMostTensorFileBytes) +
                                        " bytes, got " + ShapeText(tensor.shape));
    }
    bytes *= side;
  }
  return bytes;
}

// The header's text, padded so that the data begins at a multiple of kTensorAlignment.
absl::StatusOr<std::string> TensorHeader(std::span<const TensorToWrite> tensors,
                                         const std::map<std::string, std::string>& metadata,
                                         std::vector<int64_t>& sizes) {
  Json header = Json::Object();
  if (!metadata.empty()) {
    Json texts = Json::Object();
    for (const auto& [key, value] : metadata) texts[key] = value;
    header["__metadata__"] = std::move(texts);
  }
  std::set<std::string> names;
  int64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > kMostTensorNameBytes || tensor.name == "__metadata__" ||
        !names.insert(tensor.name).second) {
      return BadTensor(tensor.name, "want a name of 1 to " + std::to_string(kMostTensorNameBytes) +
                                        " bytes that stands once");
    }
    GRYM_ASSIGN_OR_RETURN(const int64_t bytes, BytesToWrite(tensor));
    Json shape = Json::Array();
    for (const int64_t side : tensor.shape) shape.push_back(side);
    Json place = Json::Array();
    place.push_back(offset);
    place.push_back(offset + bytes);
    Json entry = Json::Object();
    entry["dtype"] = ElementName(tensor.type);
    entry["shape"] = std::move(shape);
    entry["data_offsets"] = std::move(place);
    header[tensor.name] = std::move(entry);
    sizes.push_back(bytes);
    offset += bytes;
  }
  std::string text = header.Dump();
  text.append(static_cast<size_t>(kTensorAlignment - (static_cast<int64_t>(text.size()) + 8) % kTensorAlignment) %
                  kTensorAlignment,
              ' ');
  return text;
}

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {}
  ~OpenFile() {
    if (file_) std::fclose(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  absl::Status Write(const void* bytes, size_t size) {
    if (file_ && std::fwrite(bytes, 1, size, file_) == size) return absl::OkStatus();
    return FileWriteError(path_, "write tensors", errno);
  }
  absl::Status Close() {
    std::FILE* file = std::exchange(file_, nullptr);
    if (file && std::fclose(file) == 0) return absl::OkStatus();
    return FileWriteError(path_, "write tensors", errno);
  }

 private:
  const std::filesystem::path path_;
  std::FILE* file_;
};

absl::Status WriteOneTensor(const TensorToWrite& tensor, int64_t bytes, OpenFile& file) {
  int64_t given = 0;
  GRYM_RETURN_IF_ERROR(tensor.write([&](std::span<const std::byte> piece) -> absl::Status {
    given += static_cast<int64_t>(piece.size());
    if (given > bytes) return BadTensor(tensor.name, "want " + std::to_string(bytes) + " bytes, got more");
    return piece.empty() ? absl::OkStatus() : file.Write(piece.data(), piece.size());
  }));
  if (given != bytes) {
    return BadTensor(tensor.name, "want " + std::to_string(bytes) + " bytes, got " + std::to_string(given));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteTensorFile(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                             const std::map<std::string, std::string>& metadata) {
  std::vector<int64_t> sizes;
  GRYM_ASSIGN_OR_RETURN(const std::string header, TensorHeader(tensors, metadata, sizes));
  return WriteWhole(path, [&](const std::filesystem::path& temporary) -> absl::Status {
    OpenFile file(temporary);
    unsigned char length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(uint64_t{header.size()} >> (8 * i));
    GRYM_RETURN_IF_ERROR(file.Write(length, sizeof length));
    GRYM_RETURN_IF_ERROR(file.Write(header.data(), header.size()));
    for (size_t i = 0; i < tensors.size(); ++i) GRYM_RETURN_IF_ERROR(WriteOneTensor(tensors[i], sizes[i], file));
    return file.Close();
  });
}

}  // namespace grym
