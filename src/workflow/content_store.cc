#include "workflow/content_store.h"

#include <algorithm>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"
#include "base/status.h"

namespace grym {
namespace {

bool IsSha256(const std::string& text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Json MakeReference(const std::string& sha256, int64_t bytes) {
  Json reference = Json::Object();
  reference["$file"] = sha256;
  reference["bytes"] = bytes;
  return reference;
}

const std::string& NameIn(const Json& reference) {
  return reference.is_string() ? reference.text() : reference.at("$file").text();
}

}  // namespace

std::filesystem::path ContentStore::PathOf(const std::string& sha256) const {
  return folder_ / sha256.substr(0, 2) / sha256;
}

absl::StatusOr<Json> ContentStore::PutBytes(std::string_view bytes) {
  const std::string sha256 = Sha256Hex(bytes);
  const absl::StatusOr<int64_t> there = RegularFileSize(PathOf(sha256));
  if (!there.ok() || *there != static_cast<int64_t>(bytes.size()))
    GRYM_RETURN_IF_ERROR(WriteFile(PathOf(sha256), bytes));
  return MakeReference(sha256, static_cast<int64_t>(bytes.size()));
}

absl::StatusOr<Json> ContentStore::PutWritten(
    const std::function<absl::Status(const std::filesystem::path&)>& write, const CancelToken& cancel) {
  // What a killed process leaves of it is collected when the journal is opened.
  const std::filesystem::path fresh = folder_ / UniqueName(".grym-put-");
  const std::unique_ptr<const std::filesystem::path, void (*)(const std::filesystem::path*)> leftover(
      &fresh, [](const std::filesystem::path* left) {
        std::error_code ignored;
        std::filesystem::remove(*left, ignored);
      });
  GRYM_RETURN_IF_ERROR(write(fresh));
  GRYM_ASSIGN_OR_RETURN(const int64_t size, RegularFileSize(fresh));
  GRYM_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(fresh, cancel));
  const absl::StatusOr<int64_t> there = RegularFileSize(PathOf(sha256));
  if (!there.ok() || *there != size) GRYM_RETURN_IF_ERROR(MoveWhole(fresh, PathOf(sha256)));
  return MakeReference(sha256, size);
}

absl::StatusOr<std::filesystem::path> ContentStore::Find(const Json& reference) const {
  const std::string& sha256 = NameIn(reference);
  if (!IsSha256(sha256)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_reference",
                 "file: want {\"$file\": sha256}, got " + Printable(reference.Dump(), 100));
  }
  const std::filesystem::path path = PathOf(sha256);
  if (!RegularFileSize(path).ok())
    return Error(absl::StatusCode::kNotFound, "file_missing", "file " + sha256 + " is not in the store");
  return path;
}

absl::StatusOr<std::string> ContentStore::Read(const Json& reference, int64_t limit_bytes) const {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, Find(reference));
  GRYM_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, limit_bytes));
  if (Sha256Hex(bytes) == NameIn(reference)) return bytes;
  return Error(absl::StatusCode::kDataLoss, "file_damaged",
               "file " + NameIn(reference) + ": its bytes do not fit its name");
}

absl::StatusOr<int64_t> ContentStore::Collect(const std::set<std::string>& keep) {
  std::error_code error;
  std::vector<std::filesystem::path> useless;
  for (auto it = std::filesystem::recursive_directory_iterator(folder_, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error) && !keep.count(it->path().filename().string())) useless.push_back(it->path());
  }
  int64_t removed = 0;
  for (const std::filesystem::path& path : useless) removed += std::filesystem::remove(path, error) ? 1 : 0;
  return removed;
}

void FileReferences(const Json& json, std::set<std::string>& found) {
  if (const Json* name = json.find("$file"); name && IsSha256(name->text())) found.insert(name->text());
  for (const Json& item : json.items()) FileReferences(item, found);
  for (const auto& [key, member] : json.members()) FileReferences(member, found);
}

}  // namespace grym
