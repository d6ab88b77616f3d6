#include "checkpoint/mapped_file.h"

#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace grym {

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  Close();
  name_ = std::move(other.name_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
#ifdef _WIN32
  handle_ = std::exchange(other.handle_, nullptr);
#else
  handle_ = std::exchange(other.handle_, -1);
#endif
  return *this;
}

MappedFile::~MappedFile() { Close(); }

absl::StatusOr<MappedFile> MappedFile::Open(const std::filesystem::path& path, int64_t limit_bytes) {
  // For its words: what is opened below is looked at again, since the name may have become a pipe by then.
  GRYM_RETURN_IF_ERROR(RegularFileSize(path).status());
  MappedFile file;
  file.name_ = "\"" + Printable(path.string()) + "\"";
#ifdef _WIN32
  // Shared for reading alone: whoever would cut the file is refused by the system.
  const HANDLE handle =
      CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) {
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", file.name_ + ": cannot be opened for reading");
  }
  file.handle_ = handle;
  LARGE_INTEGER length;
  if (!GetFileSizeEx(handle, &length)) {
    return Error(absl::StatusCode::kUnavailable, "file_unreadable", file.name_ + ": its length cannot be read");
  }
  file.size_ = length.QuadPart;
#else
  file.handle_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file.handle_ < 0) {
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", file.name_ + ": " + std::strerror(errno));
  }
  struct stat now;
  if (fstat(file.handle_, &now) != 0 || !S_ISREG(now.st_mode)) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file", file.name_ + ": want a regular file");
  }
  file.size_ = now.st_size;
#endif
  if (file.size_ > limit_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "file_too_large",
                 Formatted("%s: want at most %d bytes, got %d", file.name_, limit_bytes, file.size_));
  }
  GRYM_RETURN_IF_ERROR(file.Map());
  return file;
}

#ifdef _WIN32

absl::Status MappedFile::Map() {
  if (size_ == 0) return absl::OkStatus();
  const HANDLE mapping = CreateFileMappingW(handle_, nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (mapping) {
    data_ = static_cast<const std::byte*>(MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0));
    CloseHandle(mapping);  // the view keeps it
  }
  if (data_) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "map_failed", name_ + ": cannot be mapped into memory");
}

void MappedFile::Close() {
  if (data_) UnmapViewOfFile(data_);
  if (handle_) CloseHandle(handle_);
  data_ = nullptr;
  handle_ = nullptr;
}

absl::Status MappedFile::CheckLength() const { return absl::OkStatus(); }  // the system keeps it, see Open
void MappedFile::Prefetch(int64_t, int64_t) const {}
void MappedFile::Forget(int64_t, int64_t) const {}

#else

namespace {

// Whole pages around a part of a mapping, which itself starts at a page.
void AdviseOnPages(const std::byte* data, int64_t offset, int64_t length, int advice) {
  if (length <= 0) return;
  static const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t begin = offset / page * page;
  // A hint: where the system does not take it, nothing is lost.
  madvise(const_cast<std::byte*>(data) + begin, static_cast<size_t>(offset + length - begin), advice);
}

}  // namespace

absl::Status MappedFile::Map() {
  if (size_ == 0) return absl::OkStatus();
  void* const mapped = mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_PRIVATE, handle_, 0);
  if (mapped == MAP_FAILED) {
    return Error(absl::StatusCode::kResourceExhausted, "map_failed",
                 Formatted("%s: %d bytes cannot be mapped into memory: %s", name_, size_, std::strerror(errno)));
  }
  data_ = static_cast<const std::byte*>(mapped);
  return absl::OkStatus();
}

void MappedFile::Close() {
  if (data_) munmap(const_cast<std::byte*>(data_), static_cast<size_t>(size_));
  if (handle_ >= 0) close(handle_);
  data_ = nullptr;
  handle_ = -1;
}

absl::Status MappedFile::CheckLength() const {
  struct stat now;
  if (fstat(handle_, &now) == 0 && now.st_size >= size_) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "file_changed",
               Formatted("%s: had %d bytes when it was opened, has %d now", name_, size_, int64_t{now.st_size}));
}

// Pages that are shared with a neighbour are read again when the neighbour is wanted: they were never written to.
void MappedFile::Forget(int64_t offset, int64_t length) const { AdviseOnPages(data_, offset, length, MADV_DONTNEED); }
void MappedFile::Prefetch(int64_t offset, int64_t length) const { AdviseOnPages(data_, offset, length, MADV_WILLNEED); }

#endif

}  // namespace grym
