// One process at a time owns a folder: an OS lock that ends with the process, and a text that says who holds it.
#pragma once
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"

namespace grym {

class OwnerLock {
 public:
  // Tries for `wait_ms`, then Unavailable (code "store_locked", with the owner's text).
  static absl::StatusOr<OwnerLock> Take(const std::filesystem::path& file, int wait_ms);
  // The same for a file that every owner removes at its end, by RemoveAndRelease: whoever waited for one that is gone
  // by then makes another.
  static absl::StatusOr<OwnerLock> TakeRemovable(const std::filesystem::path& file, int wait_ms);
  void RemoveAndRelease(const std::filesystem::path& file);
  // Without waiting, and only where `file` is there: nothing when it is not, or when somebody holds it.
  static std::optional<OwnerLock> TakeExisting(const std::filesystem::path& file);
  OwnerLock(OwnerLock&& other) noexcept : handle_(other.handle_) { other.handle_ = -1; }
  OwnerLock& operator=(OwnerLock&&) = delete;
  ~OwnerLock();

 private:
  bool IsStill(const std::filesystem::path& file) const;  // whether `file` is what is locked
  explicit OwnerLock(int handle) : handle_(handle) {}
  int handle_ = -1;
};

}  // namespace grym
