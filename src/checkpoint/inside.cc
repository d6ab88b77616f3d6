#include "checkpoint/inside.h"

#include <optional>

#include "base/fs.h"
#include "base/plain_name.h"
#include "base/status.h"
#include "checkpoint/content.h"

namespace grym {
namespace {

using InsidePath = std::filesystem::path;

constexpr int kMostFoldersBelowSnapshot = 8;

absl::Status OutsideFolder(const InsidePath& folder, std::string_view name, const char* what) {
  return Error(absl::StatusCode::kInvalidArgument, "outside_folder",
               QuotedPath(folder) + ": " + QuotedName(name) + " " + what);
}

// The blobs of the cache that `folder`, a true path, is a snapshot of.
std::optional<InsidePath> BlobsOf(const InsidePath& folder) {
  InsidePath at = folder;
  for (int i = 0; i < kMostFoldersBelowSnapshot && at.has_relative_path(); ++i, at = at.parent_path()) {
    if (at.parent_path().filename() == "snapshots") return at.parent_path().parent_path() / "blobs";
  }
  return std::nullopt;
}

// `name` of `folder` with every link resolved, and `folder` alike.
absl::StatusOr<InsidePath> ResolveName(const InsidePath& folder, std::string_view name, const char* missing,
                                       InsidePath& true_folder) {
  if (!IsPlainName(name) || name.size() > kMostNameBytes)
    return OutsideFolder(folder, name, "is not the plain name of a file in that folder");
  std::error_code error;
  true_folder = std::filesystem::canonical(folder, error);
  InsidePath resolved;
  if (!error) resolved = std::filesystem::canonical(true_folder / InsidePath(name), error);
  if (!error) return resolved;
  const bool absent = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  return Error(absent ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument,
               absent ? missing : "not_a_file", QuotedPath(folder / InsidePath(name)) + ": " + error.message());
}

}  // namespace

absl::StatusOr<InsidePath> FileInside(const InsidePath& folder, std::string_view name) {
  InsidePath base;
  GRYM_ASSIGN_OR_RETURN(InsidePath file, ResolveName(folder, name, "file_not_found", base));
  const std::optional<InsidePath> blobs = BlobsOf(base);
  std::error_code ignored;
  const bool stored = blobs && file.parent_path() == std::filesystem::weakly_canonical(*blobs, ignored);
  if (file.parent_path() != base && !stored) return OutsideFolder(folder, name, "is a link that leads outside");
  GRYM_RETURN_IF_ERROR(RegularFileSize(file).status());
  return absl::StatusOr<InsidePath>(std::move(file));
}

absl::StatusOr<InsidePath> FolderInside(const InsidePath& folder, std::string_view name) {
  InsidePath base;
  GRYM_ASSIGN_OR_RETURN(InsidePath inner, ResolveName(folder, name, "folder_not_found", base));
  if (inner.parent_path() != base) return OutsideFolder(folder, name, "is a link that leads outside");
  std::error_code error;
  if (std::filesystem::is_directory(inner, error)) return absl::StatusOr<InsidePath>(std::move(inner));
  return Error(absl::StatusCode::kInvalidArgument, "not_a_folder", QuotedPath(inner) + ": want a folder");
}

}  // namespace grym
