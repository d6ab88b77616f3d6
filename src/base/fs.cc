#include "base/fs.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/format.h"
#include "base/random.h"
#include "base/status.h"

#ifdef _WIN32
#include <io.h>
#include <process.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace grym {
namespace {

using Path = std::filesystem::path;

std::string Quoted(const Path& path) { return "\"" + Printable(path.string()) + "\""; }

std::string UniqueSuffix() {
  static std::atomic<uint64_t> counter{0};
#ifdef _WIN32
  const int process = _getpid();
#else
  const int process = getpid();
#endif
  uint64_t state =
      static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) + (counter++ << 40);
  return Formatted("%d-%08x", process, static_cast<uint32_t>(SplitMix64(state)));
}

// Flushes a file, or on POSIX a folder, to the disk.
bool SyncPath(const Path& path, [[maybe_unused]] bool folder) {
#ifdef _WIN32
  if (folder) return true;  // NTFS journals its directories
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(_wfopen(path.c_str(), L"r+b"), &std::fclose);
  return file && _commit(_fileno(file.get())) == 0;
#else
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool synced = fsync(descriptor) == 0 || errno == EINVAL;  // some file systems cannot sync a folder
  close(descriptor);
  return synced;
#endif
}

}  // namespace

absl::Status FileWriteError(const Path& path, std::string_view what, int cause) {
  const bool short_of = cause == ENOSPC || cause == EFBIG || cause == ENOMEM
#ifdef EDQUOT
                        || cause == EDQUOT
#endif
      ;
  const absl::StatusCode code = short_of ? absl::StatusCode::kResourceExhausted
                                : cause == EACCES || cause == EROFS || cause == EPERM
                                    ? absl::StatusCode::kPermissionDenied
                                : cause == ENAMETOOLONG || cause == ENOTDIR || cause == EISDIR || cause == ELOOP
                                    ? absl::StatusCode::kInvalidArgument
                                    : absl::StatusCode::kUnavailable;
  return Error(code, "write_failed", Quoted(path) + ": " + std::string(what) + ": " + std::strerror(cause));
}

absl::StatusOr<int64_t> RegularFileSize(const Path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return Error(absl::StatusCode::kNotFound, "file_not_found", Quoted(path) + ": no such file");
  }
  if (status.type() == std::filesystem::file_type::none) {  // a loop of links, a name too long, a closed folder
    const bool closed = error == std::errc::permission_denied;
    return Error(closed ? absl::StatusCode::kPermissionDenied : absl::StatusCode::kInvalidArgument,
                 closed ? "file_unreadable" : "not_a_file", Quoted(path) + ": " + error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    const char* kind = std::filesystem::is_directory(status) ? "a folder"
                       : std::filesystem::is_fifo(status)    ? "a pipe"
                                                             : "not a regular file";
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file", Quoted(path) + ": want a regular file, got " + kind);
  }
  const auto size = std::filesystem::file_size(path, error);
  if (error) return Error(absl::StatusCode::kUnavailable, "file_unreadable", Quoted(path) + ": " + error.message());
  return static_cast<int64_t>(size);
}

absl::StatusOr<std::string> ReadFile(const Path& path, int64_t limit_bytes) {
  GRYM_ASSIGN_OR_RETURN(const int64_t size, RegularFileSize(path));
  if (size > limit_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "file_too_large",
                 Formatted("%s: want at most %d bytes, got %d", Quoted(path), limit_bytes, size));
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file)
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", Quoted(path) + ": " + std::strerror(errno));
  std::string bytes(static_cast<size_t>(size), '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get()))
    return Error(absl::StatusCode::kDataLoss, "file_unreadable", Quoted(path) + ": read failed");
  return bytes;
}

namespace {

// A folder's path ends in its name, whatever slashes and dots stand behind it.
Path NamedPath(const Path& path) {
  Path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// Whoever wrote knew the temporary file alone; the error is to name the file that was meant.
absl::Status WithNameOf(const absl::Status& status, const Path& temporary, const Path& path) {
  std::string message(status.message());
  const std::string written = temporary.filename().string();
  const size_t at = message.find(written);
  if (status.ok() || at == std::string::npos) return status;
  message.replace(at, written.size(), Printable(path.filename().string(), 200));
  absl::Status named(status.code(), message);
  status.ForEachPayload([&](auto key, const auto& payload) { named.SetPayload(key, payload); });
  return named;
}

}  // namespace

absl::Status WriteWhole(const Path& path, const std::function<absl::Status(const Path&)>& write) {
  std::error_code error;
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  std::filesystem::create_directories(folder, error);
  std::error_code unseen;
  if (!std::filesystem::is_directory(folder, unseen)) {
    return FileWriteError(path, "its folder cannot be made", error ? error.value() : unseen ? unseen.value() : ENOTDIR);
  }
  if (std::filesystem::is_directory(path, unseen)) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file", Quoted(path) + ": want a file name, got a folder");
  }
  // Without the file's own name, which may be as long as names may be.
  const Path temporary = folder / UniqueName(kTemporaryPrefix);
  // Also when `write` throws, for want of memory.
  const std::unique_ptr<const Path, void (*)(const Path*)> leftover(&temporary, [](const Path* left) {
    std::error_code ignored;
    std::filesystem::remove(*left, ignored);
  });
  absl::Status status = WithNameOf(write(temporary), temporary, path);
  if (status.ok() && !SyncPath(temporary, false)) status = FileWriteError(path, "sync failed", errno);
  if (status.ok()) {
    std::filesystem::rename(temporary, path, error);
    if (error) status = FileWriteError(path, "rename failed", error.value());
  }
  GRYM_RETURN_IF_ERROR(status);
  return SyncFolder(folder);
}

absl::Status CheckNewFolder(const Path& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(NamedPath(path), error);
  if (status.type() == std::filesystem::file_type::not_found) return absl::OkStatus();
  const bool folder = status.type() == std::filesystem::file_type::directory;
  if (folder && std::filesystem::is_empty(NamedPath(path), error) && !error) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists, "folder_exists",
               Quoted(path) + ": want a folder that is not there yet, or an empty one, got " +
                   (error    ? error.message()
                    : folder ? "one with files in it"
                             : "something else of that name"));
}

absl::Status WriteWholeFolder(const Path& path, const std::function<absl::Status(const Path&)>& write) {
  GRYM_RETURN_IF_ERROR(CheckNewFolder(path));
  const Path target = NamedPath(path), folder = target.has_parent_path() ? target.parent_path() : Path(".");
  const Path temporary = folder / UniqueName(kTemporaryPrefix);
  std::error_code error;
  std::filesystem::create_directories(temporary, error);
  if (error) return FileWriteError(path, "its folder cannot be made", error.value());
  const std::unique_ptr<const Path, void (*)(const Path*)> leftover(&temporary, [](const Path* left) {
    std::error_code ignored;
    std::filesystem::remove_all(*left, ignored);
  });
  GRYM_RETURN_IF_ERROR(WithNameOf(write(temporary), temporary, target));
  GRYM_RETURN_IF_ERROR(SyncFolder(temporary));
  std::filesystem::rename(temporary, target, error);  // over an empty folder; refused where it has files by now
  if (error) {
    GRYM_RETURN_IF_ERROR(CheckNewFolder(path));
    return FileWriteError(path, "rename failed", error.value());
  }
  return SyncFolder(folder);
}

absl::Status SyncFolder(const Path& folder) {
  return SyncPath(folder, true) ? absl::OkStatus() : FileWriteError(folder, "sync of the folder failed", errno);
}

absl::Status WriteFile(const Path& path, std::string_view bytes) {
  return WriteWhole(path, [&](const Path& temporary) -> absl::Status {
    std::FILE* file = std::fopen(temporary.c_str(), "wb");
    if (!file) return FileWriteError(path, "cannot be created", errno);
    bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    int cause = errno;
    if (std::fclose(file) != 0 && written) {
      written = false;
      cause = errno;
    }
    return written ? absl::OkStatus() : FileWriteError(path, "write failed", cause);
  });
}

absl::Status MoveWhole(const Path& from, const Path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return FileWriteError(path, "its folder cannot be made", error.value());
  std::filesystem::rename(from, path, error);
  if (error) return FileWriteError(path, "rename failed", error.value());
  return SyncFolder(path.parent_path());
}

absl::Status CheckWritable(const Path& folder) {
  std::error_code error;
  Path nearest = folder.empty() ? Path(".") : std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path()) nearest = nearest.parent_path();
  if (!std::filesystem::is_directory(nearest, error)) {
    return FileWriteError(folder, "no folder can be made there: " + Quoted(nearest), error ? error.value() : ENOTDIR);
  }
  const Path trial = nearest / UniqueName(".grym-trial-");
  std::FILE* file = std::fopen(trial.c_str(), "wb");
  if (!file) return FileWriteError(folder, "no file can be written there", errno);
  std::fclose(file);
  std::filesystem::remove(trial, error);
  return absl::OkStatus();
}

std::string UniqueName(std::string_view prefix) { return std::string(prefix) + UniqueSuffix(); }

absl::StatusOr<Path> MakeTempFolder(std::string_view prefix) {
  std::error_code error;
  const Path base = std::filesystem::temp_directory_path(error);
  for (int attempt = 0; attempt < 16 && !error; ++attempt) {
    Path folder = base / (std::string(prefix) + "-" + UniqueSuffix());
    // Moved: a copy might find no memory, and the folder would be nobody's.
    if (std::filesystem::create_directory(folder, error)) return absl::StatusOr<Path>(std::move(folder));
  }
  return Error(absl::StatusCode::kUnavailable, "write_failed", "temporary folder: " + error.message());
}

}  // namespace grym
