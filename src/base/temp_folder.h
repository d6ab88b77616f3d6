// Folders for a while: gone with their owner, or, when it was killed, at the next start of a program of ours.
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "base/owner_lock.h"

namespace grym {

// A new folder "grymsynth-<what>-..." under the system's temporary folder, which its owner holds by a lock on a file in
// it. The first one made by a process removes what killed processes left. Threads: one at a time.
class TempFolder {
 public:
  static absl::StatusOr<TempFolder> Make(std::string_view what);
  TempFolder(TempFolder&& other) noexcept
      : path_(std::move(other.path_)), lock_(std::move(other.lock_)), process_(other.process_) {
    other.path_.clear();
  }
  TempFolder& operator=(TempFolder&&) = delete;
  ~TempFolder();  // removes it with all that is in it, but not in a forked child, whose parent goes on using it
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TempFolder(std::filesystem::path path);
  std::filesystem::path path_;
  std::optional<OwnerLock> lock_;
  int process_ = 0;  // that made it
};

// Removes the folders of ours in `where` whose owner is gone: those of this user, with a lock file that nobody holds.
// A folder whose lock file is missing, a link, or another user's is left alone. Answers how many went.
int RemoveStaleTempFolders(const std::filesystem::path& where);

}  // namespace grym
