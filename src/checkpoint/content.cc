#include "checkpoint/content.h"

#include <algorithm>

#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "checkpoint/mapped_file.h"

namespace grym {
namespace {

bool StartsWithBytes(std::string_view text, std::string_view magic) { return text.substr(0, magic.size()) == magic; }

// Source: sentencepiece_model.proto: field 1 of ModelProto is the list of pieces, field 1 of a piece its text. The
// first piece of a model is "<unk>" or "<pad>", so both lengths are one byte.
bool LooksLikeSentencePiece(std::string_view text) {
  if (text.size() < 5 || text[0] != '\x0a' || text[2] != '\x0a') return false;
  const auto piece = static_cast<unsigned char>(text[1]), name = static_cast<unsigned char>(text[3]);
  return piece < 0x80 && name > 0 && name + 2 <= piece && text.size() >= size_t{piece} + 2;
}

// Values in a JSON text: no fewer than a parser would make, without making any.
size_t CountJsonValues(std::string_view text) {
  size_t count = 1;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ',' || c == '[' || c == '{')) {
      ++count;
    }
  }
  return count;
}

}  // namespace

FileContent TellContent(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 4096));
  using namespace std::string_view_literals;
  if (text.size() > 8 && text[8] == '{' && text.substr(5, 3) == "\0\0\0"sv) return FileContent::kSafetensors;
  if (StartsWithBytes(text, "PK\x03\x04"sv) || (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5))
    return FileContent::kPickle;
  if (StartsWithBytes(text, "\x89HDF\r\n\x1a\n"sv)) return FileContent::kHdf5;
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return FileContent::kJsonObject;
  return LooksLikeSentencePiece(text) ? FileContent::kSentencePiece : FileContent::kOther;
}

absl::StatusOr<FileContent> TellFileContent(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path, INT64_MAX));
  GRYM_RETURN_IF_ERROR(file.CheckLength());
  return TellContent(file.bytes());
}

const char* ContentName(FileContent content) {
  static constexpr const char* kNames[] = {
      "safetensors", "JSON", "a PyTorch pickle", "HDF5 (TensorFlow)", "a SentencePiece model", "something else"};
  return kNames[static_cast<size_t>(content)];
}

absl::StatusOr<Json> ParseBounded(std::string_view text, std::string_view where, std::string_view code) {
  const size_t values = CountJsonValues(text);
  if (values > kMostJsonValues) {
    return Error(absl::StatusCode::kResourceExhausted, "checkpoint_limit",
                 Formatted("%s: want at most %d JSON values, got %d", std::string(where), kMostJsonValues, values));
  }
  JsonLimits limits;
  limits.bytes = limits.string_bytes = std::max<size_t>(text.size(), 1);  // the caller's limit was checked on the file
  absl::StatusOr<Json> json = Json::Parse(text, limits);
  if (json.ok()) return json;
  return Error(absl::StatusCode::kDataLoss, code, std::string(where) + ": " + std::string(json.status().message()));
}

absl::StatusOr<Json> ReadJsonObject(const std::filesystem::path& path, int64_t limit_bytes, std::string_view code) {
  GRYM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, limit_bytes));
  GRYM_ASSIGN_OR_RETURN(Json json, ParseBounded(text, QuotedPath(path), code));
  if (json.is_object()) return json;
  return Error(absl::StatusCode::kDataLoss, code, QuotedPath(path) + ": want a JSON object, got " + json.type_name());
}

std::string QuotedPath(const std::filesystem::path& path) { return "\"" + Printable(path.string()) + "\""; }
std::string QuotedName(std::string_view name) { return "\"" + Printable(name) + "\""; }

}  // namespace grym
