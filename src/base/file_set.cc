#include "base/file_set.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "base/fs.h"
#include "base/status.h"

#ifndef _WIN32
#include <signal.h>
#endif

namespace grym {
namespace {

using FilePath = std::filesystem::path;

constexpr char kSetLock[] = ".grym-files.lock";
constexpr int kSetWaitMs = 10'000;
constexpr auto kUntouched = std::chrono::hours(1);  // another machine, or a container, may have processes unseen here

// The process in the name of a temporary of ours, 0 for any other name.
int ProcessOf(std::string_view name) {
  constexpr size_t kRandomDigits = 8;
  if (name.rfind(kTemporaryPrefix, 0) != 0) return 0;
  name.remove_prefix(std::string_view(kTemporaryPrefix).size());
  const size_t dash = name.find('-');
  if (dash == 0 || dash > 9 || name.size() != dash + 1 + kRandomDigits) return 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto hex = [&](char c) { return digit(c) || (c >= 'a' && c <= 'f'); };
  if (!std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dash), digit)) return 0;
  if (!std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dash) + 1, name.end(), hex)) return 0;
  return std::stoi(std::string(name.substr(0, dash)));
}

bool Runs([[maybe_unused]] int process) {
#ifdef _WIN32
  return false;  // what a running one holds open cannot be removed there
#else
  return kill(process, 0) == 0 || errno != ESRCH;
#endif
}

}  // namespace

int RemoveStaleTemporaries(const FilePath& folder) {
  std::error_code error;
  std::vector<FilePath> stale;
  const auto old = std::filesystem::file_time_type::clock::now() - kUntouched;
  const std::filesystem::directory_iterator end;
  for (auto it = std::filesystem::directory_iterator(folder, error); !error && it != end; it.increment(error)) {
    const int process = ProcessOf(it->path().filename().string());
    if (process == 0 || Runs(process)) continue;
    std::error_code unseen;
    const auto type = it->symlink_status(unseen).type();
    if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::directory) continue;
    const auto touched = it->last_write_time(unseen);
    if (!unseen && touched < old) stale.push_back(it->path());
  }
  int removed = 0;
  for (const FilePath& path : stale) {
    const auto gone = std::filesystem::remove_all(path, error);
    removed += !error && gone > 0;
  }
  return removed;
}

absl::StatusOr<FileSet> FileSet::Begin(const FilePath& folder) {
  FileSet set(folder.empty() ? FilePath(".") : folder);
  std::error_code error, unseen;
  std::filesystem::create_directories(set.folder_, error);
  if (!std::filesystem::is_directory(set.folder_, unseen)) {
    return FileWriteError(set.folder_, "cannot be made", error ? error.value() : unseen ? unseen.value() : ENOTDIR);
  }
  RemoveStaleTemporaries(set.folder_);
  FilePath aside = set.folder_ / UniqueName(kTemporaryPrefix);
  if (!std::filesystem::create_directory(aside, error)) {
    return FileWriteError(set.folder_, "no folder can be made there", error ? error.value() : EEXIST);
  }
  set.aside_ = std::move(aside);
  return absl::StatusOr<FileSet>(std::move(set));
}

FileSet::FileSet(FileSet&& other) noexcept
    : folder_(std::move(other.folder_)), aside_(std::move(other.aside_)), names_(std::move(other.names_)) {
  if (other.lock_) lock_.emplace(*std::move(other.lock_));
  other.lock_.reset();
  other.aside_.clear();
}

FileSet::~FileSet() {
  std::error_code ignored;
  if (!aside_.empty()) std::filesystem::remove_all(aside_, ignored);
  if (lock_) lock_->RemoveAndRelease(folder_ / kSetLock);
}

absl::Status FileSet::Write(const FilePath& name, const std::function<absl::Status(const FilePath&)>& write) {
  std::error_code error;
  std::filesystem::create_directories(staged(name).parent_path(), error);
  if (error) return FileWriteError(folder_ / name, "its folder cannot be made", error.value());
  if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  const absl::Status status = write(staged(name));
  std::string message(status.message());
  const std::string hidden = aside_.filename().string() + "/";
  const size_t at = message.find(hidden);
  if (status.ok() || at == std::string::npos) return status;
  message.erase(at, hidden.size());
  absl::Status named(status.code(), message);
  status.ForEachPayload([&](auto key, const auto& payload) { named.SetPayload(key, payload); });
  return named;
}

absl::Status FileSet::Lock() {
  if (lock_) return absl::OkStatus();
  absl::StatusOr<OwnerLock> lock = OwnerLock::TakeRemovable(folder_ / kSetLock, kSetWaitMs);
  if (lock.ok()) lock_.emplace(*std::move(lock));
  return ErrorCode(lock.status()) == "store_locked" ? lock.status() : absl::OkStatus();
}

absl::Status FileSet::Commit(const std::vector<FilePath>& obsolete) {
  GRYM_RETURN_IF_ERROR(Lock());
  std::error_code error;
  std::vector<FilePath> folders = {folder_};
  for (const FilePath& name : names_) {
    const FilePath place = folder_ / name;
    if (std::filesystem::is_directory(place, error)) {
      return Error(absl::StatusCode::kInvalidArgument, "not_a_file",
                   "\"" + Printable(place.string()) + "\": want a file name, got a folder");
    }
    if (std::find(folders.begin(), folders.end(), place.parent_path()) != folders.end()) continue;
    std::filesystem::create_directories(place.parent_path(), error);
    if (error) return FileWriteError(place, "its folder cannot be made", error.value());
    folders.push_back(place.parent_path());
  }
  for (const FilePath& name : names_) {
    std::filesystem::rename(staged(name), folder_ / name, error);
    if (error) return FileWriteError(folder_ / name, "rename failed", error.value());
  }
  for (const FilePath& name : obsolete) {
    std::filesystem::remove(folder_ / name, error);
    // The folder of the last one goes too; one with anything in it stays.
    if (name.has_parent_path()) std::filesystem::remove(folder_ / name.parent_path(), error);
  }
  for (const FilePath& folder : folders) GRYM_RETURN_IF_ERROR(SyncFolder(folder));
  return absl::OkStatus();
}

}  // namespace grym
