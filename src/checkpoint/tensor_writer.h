// Writes a *.safetensors file, tensor after tensor, without ever holding more than one piece of one.
#pragma once
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint/tensor_file.h"

namespace grym {

// Takes the next bytes of a tensor.
using TensorSink = std::function<absl::Status(std::span<const std::byte>)>;

struct TensorToWrite {
  std::string name;
  ElementType type = ElementType::kF32;
  std::vector<int64_t> shape;
  // Gives exactly product(shape) * ElementBytes(type) bytes to the sink, in as many pieces as it likes.
  std::function<absl::Status(const TensorSink& sink)> write;
};

inline constexpr int64_t kTensorAlignment = 64;  // of the first tensor, and of each behind one of whole multiples

// The file is whole or not there; what stood at `path` is replaced. Tensors lie in the order given, without holes, as
// the format wants it: TensorFile reads it back. InvalidArgument (code "bad_tensor") for a name that is empty, too long
// or stands twice, a rank or side out of bounds, or a `write` that gave another number of bytes; errors of `write`;
// those of a disk as FileWriteError.
absl::Status WriteTensorFile(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                             const std::map<std::string, std::string>& metadata = {});

}  // namespace grym
