#include "base/temp_folder.h"

#include <atomic>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/fs.h"

#ifdef _WIN32
#include <process.h>
#else
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace grym {
namespace {

constexpr char kTempPrefix[] = "grymsynth-";
constexpr char kTempLock[] = ".grymsynth-owner";

int ThisProcess() {
#ifdef _WIN32
  return _getpid();
#else
  return getpid();
#endif
}

// A folder of this user's, not a link to one.
bool IsOwnFolder(const std::filesystem::path& path) {
#ifdef _WIN32
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::directory;
#else
  struct stat facts {};
  return lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid();
#endif
}

// The lock file goes last, so that whatever stops this leaves a folder that the next start knows. False when it stays.
bool RemoveWithLock(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> inside;
  const std::filesystem::directory_iterator end;
  for (auto it = std::filesystem::directory_iterator(folder, error); !error && it != end; it.increment(error)) {
    if (it->path().filename() != kTempLock) inside.push_back(it->path());
  }
  if (error) return false;
  const std::filesystem::path lock = folder / kTempLock;
  for (const std::filesystem::path& entry : inside) {
    std::filesystem::remove_all(entry, error);
    if (error) return false;
  }
  std::filesystem::remove(lock, error);
  return std::filesystem::remove(folder, error);
}

}  // namespace

int RemoveStaleTempFolders(const std::filesystem::path& where) {
  std::error_code error;
  std::vector<std::filesystem::path> ours;
  const std::filesystem::directory_iterator end;
  for (auto it = std::filesystem::directory_iterator(where, error); !error && it != end; it.increment(error)) {
    const std::filesystem::path& path = it->path();
    if (path.filename().string().rfind(kTempPrefix, 0) == 0 && IsOwnFolder(path)) ours.push_back(path);
  }
  int removed = 0;
  for (const std::filesystem::path& folder : ours) {
    std::optional<OwnerLock> left = OwnerLock::TakeExisting(folder / kTempLock);
    if (!left) continue;
#ifdef _WIN32
    left.reset();  // no open file can be removed; and there is no moment between making a lock file and holding it
#endif
    removed += RemoveWithLock(folder);
  }
  return removed;
}

absl::StatusOr<TempFolder> TempFolder::Make(std::string_view what) {
  static std::atomic<bool> cleaned{false};
  if (!cleaned.exchange(true)) {
    std::error_code error;
    const std::filesystem::path where = std::filesystem::temp_directory_path(error);
    if (!error) RemoveStaleTempFolders(where);
  }
  constexpr int kTries = 16;
  absl::Status status;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    absl::StatusOr<std::filesystem::path> path = MakeTempFolder(kTempPrefix + std::string(what));
    if (!path.ok()) return path.status();
    TempFolder folder(*std::move(path));
    absl::StatusOr<OwnerLock> lock = OwnerLock::Take(folder.path_ / kTempLock, 0);
    status = lock.status();
    if (!lock.ok()) continue;
    folder.lock_.emplace(*std::move(lock));
    // Whoever cleans up may have come between the lock file's making and its locking, and have removed it.
    std::error_code error;
    if (std::filesystem::exists(folder.path_ / kTempLock, error)) return folder;
  }
  return status.ok() ? absl::UnavailableError("temporary folder: it is removed as soon as it is made") : status;
}

TempFolder::TempFolder(std::filesystem::path path) : path_(std::move(path)), process_(ThisProcess()) {}

TempFolder::~TempFolder() {
  if (path_.empty() || process_ != ThisProcess()) return;
  lock_.reset();
  try {
    RemoveWithLock(path_);
  } catch (const std::bad_alloc&) {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);  // an empty one goes without any; what holds files is the next start's
  }
}

}  // namespace grym
