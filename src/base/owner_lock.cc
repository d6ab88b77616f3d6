#include "base/owner_lock.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/fs.h"
#include "base/status.h"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <share.h>
#include <sys/stat.h>
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace grym {
namespace {

constexpr auto kBetweenTries = std::chrono::milliseconds(20);

// A handle that holds the lock, -1 while another holds it, -2 for a failure (errno).
int TryLock(const std::filesystem::path& file, bool create) {
#ifdef _WIN32
  int handle = -1;
  const int flags = _O_RDWR | _O_BINARY | (create ? _O_CREAT : 0);
  if (_wsopen_s(&handle, file.c_str(), flags, _SH_DENYWR, _S_IREAD | _S_IWRITE) == 0)
    return handle;
  return errno == EACCES ? -1 : -2;
#else
  const int handle = open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
  if (handle < 0) return -2;
  // flock belongs to the open file, so two owners in one process are told apart too.
  if (flock(handle, LOCK_EX | LOCK_NB) == 0) return handle;
  const bool held = errno == EWOULDBLOCK;
  close(handle);
  return held ? -1 : -2;
#endif
}

void SignOwner(int handle) {
#ifdef _WIN32
  const std::string text = "process " + std::to_string(_getpid()) + "\n";
  _chsize(handle, 0);
  (void)_write(handle, text.data(), static_cast<unsigned>(text.size()));
#else
  const std::string text = "process " + std::to_string(getpid()) + "\n";
  // The text only helps whoever is refused: a failure here harms nothing.
  if (ftruncate(handle, 0) == 0 && write(handle, text.data(), text.size()) < 0) return;
#endif
}

}  // namespace

absl::StatusOr<OwnerLock> OwnerLock::Take(const std::filesystem::path& file, int wait_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (true) {
    const int handle = TryLock(file, true);
    if (handle >= 0) {
      OwnerLock lock(handle);
      SignOwner(handle);
      return lock;
    }
    if (handle == -2) {
      return Error(absl::StatusCode::kUnavailable, "write_failed",
                   "\"" + Printable(file.string()) + "\": cannot be locked: " + std::strerror(errno));
    }
    if (std::chrono::steady_clock::now() >= until) break;
    std::this_thread::sleep_for(kBetweenTries);
  }
  const absl::StatusOr<std::string> owner = ReadFile(file, 1024);
  return Error(absl::StatusCode::kUnavailable, "store_locked",
               "\"" + Printable(file.parent_path().string()) + "\": in use by " +
                   (owner.ok() ? Printable(owner->substr(0, owner->find('\n'))) : "another process"));
}

bool OwnerLock::IsStill([[maybe_unused]] const std::filesystem::path& file) const {
#ifdef _WIN32
  return true;  // a file that is open cannot be removed
#else
  struct stat held {}, there {};
  return fstat(handle_, &held) == 0 && stat(file.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
#endif
}

absl::StatusOr<OwnerLock> OwnerLock::TakeRemovable(const std::filesystem::path& file, int wait_ms) {
  while (true) {
    absl::StatusOr<OwnerLock> lock = Take(file, wait_ms);
    if (!lock.ok() || lock->IsStill(file)) return lock;
  }
}

void OwnerLock::RemoveAndRelease(const std::filesystem::path& file) {
  std::error_code ignored;
#ifdef _WIN32
  _close(handle_);
  std::filesystem::remove(file, ignored);
#else
  std::filesystem::remove(file, ignored);
  close(handle_);
#endif
  handle_ = -1;
}

std::optional<OwnerLock> OwnerLock::TakeExisting(const std::filesystem::path& file) {
  const int handle = TryLock(file, false);
  if (handle < 0) return std::nullopt;
  return OwnerLock(handle);
}

OwnerLock::~OwnerLock() {
  if (handle_ < 0) return;
#ifdef _WIN32
  _close(handle_);
#else
  close(handle_);
#endif
}

}  // namespace grym
