// Files: read whole with a limit, write whole or not at all.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

// Size of a regular file. NotFound (code "file_not_found"); InvalidArgument (code "not_a_file") for a folder, pipe,
// device or socket, without ever blocking on it.
absl::StatusOr<int64_t> RegularFileSize(const std::filesystem::path& path);

// ResourceExhausted with both numbers beyond `limit_bytes`.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, int64_t limit_bytes);

// Calls `write(temporary path in the same folder)`, syncs what it wrote, renames it over `path` and syncs the folder.
// On any failure the temporary file is gone and `path` is as it was. Parent folders are made.
absl::Status WriteWhole(const std::filesystem::path& path,
                        const std::function<absl::Status(const std::filesystem::path&)>& write);
absl::Status WriteFile(const std::filesystem::path& path, std::string_view bytes);

// The same for a folder: `write(temporary folder beside it)` fills it with files that are synced, and it is renamed to
// `path`. What a kill leaves is kTemporaryPrefix's. Errors as of CheckNewFolder, also where somebody fills it meanwhile.
absl::Status WriteWholeFolder(const std::filesystem::path& path,
                              const std::function<absl::Status(const std::filesystem::path&)>& write);
// Whether a folder of this name may be made: AlreadyExists (code "folder_exists") unless nothing of that name is there,
// or an empty folder.
absl::Status CheckNewFolder(const std::filesystem::path& path);

// What a write that failed is told as, code "write_failed"; `cause` is an errno value. ResourceExhausted where the
// disk, a quota, a limit or memory is used up, PermissionDenied, else Unavailable.
absl::Status FileWriteError(const std::filesystem::path& path, std::string_view what, int cause);

// Moves a file that lies whole on the disk to `path`, over what is there, and syncs the folder. Parent folders are
// made. Both must be on one file system.
absl::Status MoveWhole(const std::filesystem::path& from, const std::filesystem::path& path);

// Puts a folder's list of names on the disk. Errors as of WriteWhole.
absl::Status SyncFolder(const std::filesystem::path& folder);

// Whether files could be written into `folder`, which need not exist: tried in its nearest parent that does, which is
// left as it was. Errors as of WriteWhole.
absl::Status CheckWritable(const std::filesystem::path& folder);

// What a file that is not whole yet is called, before UniqueName's own part.
inline constexpr char kTemporaryPrefix[] = ".grym-tmp-";

// A name that no other file beside it has: "<prefix><process>-<random>".
std::string UniqueName(std::string_view prefix);

// A new empty folder under the system's temporary folder.
absl::StatusOr<std::filesystem::path> MakeTempFolder(std::string_view prefix);

}  // namespace grym
