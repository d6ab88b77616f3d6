// Files that belong together: written aside, and moved to their places when all of them lie whole on the disk.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/owner_lock.h"

namespace grym {

// Names are paths below the folder. Until Commit() everything lies in a hidden folder there, which goes with its owner;
// what a killed process left is removed by the next one that begins. Threads: one at a time.
class FileSet {
 public:
  // Makes `folder`. Errors as of WriteWhole.
  static absl::StatusOr<FileSet> Begin(const std::filesystem::path& folder);
  FileSet(FileSet&& other) noexcept;
  FileSet& operator=(FileSet&&) = delete;
  ~FileSet();  // removes what was not committed
  // Calls `write(where the file lies until then)`, which is to sync what it writes. Errors name the file's own place.
  absl::Status Write(const std::filesystem::path& name,
                     const std::function<absl::Status(const std::filesystem::path&)>& write);
  std::filesystem::path staged(const std::filesystem::path& name) const { return aside_ / name; }
  const std::vector<std::filesystem::path>& names() const { return names_; }  // in the order of their first writing
  // Until the end nobody else's set moves into the folder. Unavailable (code "store_locked") when another stays in
  // for 10 s. On a file system without locks it is not waited for.
  absl::Status Lock();
  // Moves all to their places over what is there, in the order of names(), then removes the files `obsolete`.
  // InvalidArgument, and nothing moved, where a folder lies in the place of a file.
  absl::Status Commit(const std::vector<std::filesystem::path>& obsolete = {});

 private:
  explicit FileSet(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_, aside_;
  std::vector<std::filesystem::path> names_;
  std::optional<OwnerLock> lock_;
};

// Removes from `folder` the temporary files and folders of ours (".grym-tmp-<process>-<8 hex digits>") that nobody has
// touched for an hour and whose process does not run here. Answers how many went.
int RemoveStaleTemporaries(const std::filesystem::path& folder);

}  // namespace grym
