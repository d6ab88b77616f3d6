// What a file of a model is by its first bytes, whatever its name says; and JSON of strangers within bounds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

enum class FileContent {
  kSafetensors,    // a length below 2^40, then '{'
  kJsonObject,     // '{' after blanks
  kPickle,         // PyTorch's archive (a ZIP file) or a bare pickle: may run code when opened
  kHdf5,           // TensorFlow's weights
  kSentencePiece,  // a protocol buffer that starts with a piece
  kOther,
};
// Looks at the first bytes alone: what it says is what to try, not that it is whole.
FileContent TellContent(std::span<const std::byte> bytes);
// The same for a file. Errors as of MappedFile::Open.
absl::StatusOr<FileContent> TellFileContent(const std::filesystem::path& path);
// "a PyTorch pickle", for messages.
const char* ContentName(FileContent content);

inline constexpr int64_t kMostConfigBytes = int64_t{4} << 20;
inline constexpr int64_t kMostIndexBytes = int64_t{16} << 20;
// Parsed, a value of two characters takes 56 bytes and more: without a bound, 16 MiB of them take a gigabyte. The
// largest header, 100,000 tensors of rank 8, has 1.4 million.
inline constexpr size_t kMostJsonValues = 1'500'000;

// As Json::Parse, with that bound: errors are DataLoss with `code` and start with `where`; ResourceExhausted
// ("checkpoint_limit") for more values.
absl::StatusOr<Json> ParseBounded(std::string_view text, std::string_view where, std::string_view code);
// A file that must hold one JSON object. Errors as of ReadFile and ParseBounded; DataLoss with `code` for another
// value.
absl::StatusOr<Json> ReadJsonObject(const std::filesystem::path& path, int64_t limit_bytes, std::string_view code);

// "\"<path>\"", safe for messages.
std::string QuotedPath(const std::filesystem::path& path);
std::string QuotedName(std::string_view name);

}  // namespace grym
