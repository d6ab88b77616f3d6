#include "base/fs.h"
#include "text/file_errors.h"
#include "text/json_scanner.h"
#include "text/limits.h"
#include "text/tokenizer_files.h"

namespace grym {
namespace {

using Path = std::filesystem::path;

absl::StatusOr<std::string> ReadPart(const Path& path) { return ReadFile(path, kTokenizerFileBytes); }

bool IsThere(const Path& path) { return RegularFileSize(path).ok(); }

// vocab.json: byte-level BPE where merges.txt lies beside it, letters where it does not.
absl::StatusOr<std::shared_ptr<const Tokenizer>> OpenVocabulary(const Path& path, std::string_view bytes,
                                                                const TokenizerConfig& config) {
  const std::string where = path.filename().string();
  const Path merges = path.parent_path() / "merges.txt";
  if (!IsThere(merges)) return ReadCtcLetters(bytes, where, config);
  GRYM_ASSIGN_OR_RETURN(const std::string lines, ReadPart(merges));
  return ReadRobertaFiles(bytes, lines, where, config);
}

// tokenizer.json has a "model", a vocabulary numbers only: what comes first decides, and the rest is left unread.
absl::StatusOr<bool> HasModel(std::string_view bytes, const std::string& where) {
  JsonScanner scanner(bytes, where);
  bool found = false, decided = false;
  const absl::Status read = scanner.Object([&](const std::string& key) -> absl::Status {
    const char next = scanner.Next();
    found = key == "model" && next == '{';
    decided = found || next == '-' || (next >= '0' && next <= '9');
    return decided ? absl::CancelledError() : scanner.Skip();
  });
  if (!decided) GRYM_RETURN_IF_ERROR(read);
  return found;
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> OpenFile(const Path& path, const TokenizerConfig& config) {
  GRYM_ASSIGN_OR_RETURN(const std::string bytes, ReadPart(path));
  const std::string where = path.filename().string();
  if (bytes.empty()) return DamagedTokenizer(where, "want a tokenizer, got an empty file");
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  // A SentencePiece model begins with a field's tag, 0x0A, and its length, never with a brace: 123 bytes in a piece
  // are told from JSON by what follows.
  if (first == bytes.npos || bytes[first] != '{' ||
      (bytes[0] == '\n' && bytes.find_first_of("\"}", first) == bytes.npos))
    return ReadSentencePiece(bytes, where, config);
  absl::StatusOr<bool> model = HasModel(bytes, where);
  if (!model.ok()) return bytes[0] == '\n' ? ReadSentencePiece(bytes, where, config) : model.status();
  return *model ? ReadTokenizerJson(bytes, where, config) : OpenVocabulary(path, bytes, config);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> OpenTokenizer(const Path& file_or_folder) {
  std::error_code failed;
  const bool is_folder = std::filesystem::is_directory(file_or_folder, failed);
  const Path folder = is_folder ? file_or_folder : file_or_folder.parent_path();
  GRYM_ASSIGN_OR_RETURN(const TokenizerConfig config, TokenizerConfig::Read(folder));
  if (!is_folder) return OpenFile(file_or_folder, config);
  for (const char* name : {"tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model"}) {
    const Path path = folder / name;
    // A vocabulary without merges beside a SentencePiece model belongs to something else.
    const bool letters = std::string_view(name) == "vocab.json" && !IsThere(folder / "merges.txt");
    if (!IsThere(path) || (letters && IsThere(folder / "spiece.model"))) continue;
    return OpenFile(path, config);
  }
  return Error(absl::StatusCode::kNotFound, "no_tokenizer",
               Formatted("%s: want tokenizer.json, vocab.json or spiece.model", Printable(folder.string())));
}

}  // namespace grym
