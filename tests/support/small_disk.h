// Disks and limits that run out for real, for use in a child process (support/child.h).
#pragma once
#ifndef _WIN32
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

namespace grym::testing {

// Writing a file beyond `bytes` fails with EFBIG from now on; RLIM_INFINITY lifts it.
inline bool LimitFileSize(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);  // else it would end the process
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
  limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
  return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

// An empty file system of so many bytes over `folder`, seen by this process alone and gone with it. False where the
// system does not let us: then the test says so and is skipped.
inline bool MountSmallDisk(const std::filesystem::path& folder, int64_t bytes) {
#ifdef __linux__
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const std::string size = "size=" + std::to_string(bytes);
  return mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) == 0;
#else
  (void)folder, (void)bytes;
  return false;
#endif
}

}  // namespace grym::testing
#endif
