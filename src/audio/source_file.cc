#include "audio/source_file.h"

#include <algorithm>
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
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace grym {

absl::StatusOr<std::shared_ptr<const SourceFile>> SourceFile::Open(const std::filesystem::path& path,
                                                                   int64_t limit_bytes) {
  GRYM_ASSIGN_OR_RETURN(int64_t size, RegularFileSize(path));
  std::shared_ptr<SourceFile> file(new SourceFile);
  file->name_ = "\"" + Printable(path.string()) + "\"";
#ifdef _WIN32
  file->handle_ =
      CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file->handle_ == INVALID_HANDLE_VALUE) {
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable",
                 file->name_ + ": cannot be opened for reading");
  }
#else
  // Not blocking, and looked at again once open: the name may have become a pipe since.
  file->descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file->descriptor_ < 0) {
    return Error(absl::StatusCode::kPermissionDenied, "file_unreadable", file->name_ + ": " + std::strerror(errno));
  }
  struct stat now;
  if (fstat(file->descriptor_, &now) != 0 || !S_ISREG(now.st_mode)) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_file", file->name_ + ": want a regular file");
  }
  size = now.st_size;
#endif
  file->size_ = size;
  if (size > limit_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "file_too_large",
                 Formatted("%s: want at most %d bytes, got %d", file->name_, limit_bytes, size));
  }
  return std::shared_ptr<const SourceFile>(std::move(file));
}

SourceFile::~SourceFile() {
#ifdef _WIN32
  if (handle_ && handle_ != INVALID_HANDLE_VALUE) CloseHandle(handle_);
#else
  if (descriptor_ >= 0) close(descriptor_);
#endif
}

size_t SourceFile::ReadAt(int64_t offset, void* to, size_t bytes) const {
  if (offset < 0) return 0;
  size_t done = 0;
  while (done < bytes) {
#ifdef _WIN32
    OVERLAPPED at{};
    const uint64_t position = static_cast<uint64_t>(offset) + done;
    at.Offset = static_cast<DWORD>(position);
    at.OffsetHigh = static_cast<DWORD>(position >> 32);
    DWORD got = 0;
    if (!ReadFile(handle_, static_cast<char*>(to) + done, static_cast<DWORD>(std::min<size_t>(bytes - done, 1u << 30)),
                  &got, &at))
      break;
#else
    const ssize_t got =
        pread(descriptor_, static_cast<char*>(to) + done, bytes - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
#endif
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

std::string SourceFile::ReadString(int64_t offset, int64_t bytes) const {
  std::string text(static_cast<size_t>(std::clamp<int64_t>(bytes, 0, std::max<int64_t>(0, size_ - offset))), '\0');
  text.resize(ReadAt(offset, text.data(), text.size()));
  return text;
}

int64_t SourceView::size() const {
  auto bytes = static_cast<int64_t>(prefix.size());
  for (const ByteRange& part : parts) bytes += part.length;
  return bytes;
}

size_t SourceView::Read(const SourceFile& file, int64_t position, void* to, size_t bytes) const {
  if (position < 0) return 0;
  size_t done = 0;
  if (position < static_cast<int64_t>(prefix.size())) {
    done = std::min(bytes, prefix.size() - static_cast<size_t>(position));
    std::memcpy(to, prefix.data() + position, done);
  }
  int64_t into = position + static_cast<int64_t>(done) - static_cast<int64_t>(prefix.size());
  for (const ByteRange& part : parts) {
    if (done == bytes) break;
    if (into >= part.length) {
      into -= part.length;
      continue;
    }
    const auto wanted = static_cast<size_t>(std::min<int64_t>(static_cast<int64_t>(bytes - done), part.length - into));
    const size_t got = file.ReadAt(part.begin + into, static_cast<char*>(to) + done, wanted);
    done += got;
    if (got < wanted) break;
    into = 0;
  }
  return done;
}

std::string_view SourceWindow::At(int64_t offset, size_t bytes) {
  const int64_t end = begin_ + static_cast<int64_t>(bytes_.size());
  const bool more_wanted = offset + static_cast<int64_t>(bytes) > end && end < file_.size();
  if (offset < begin_ || offset > end || more_wanted) {
    begin_ = offset;
    bytes_ = file_.ReadString(offset, static_cast<int64_t>(kBytes));
  }
  return std::string_view(bytes_).substr(static_cast<size_t>(offset - begin_), bytes);
}

std::optional<int64_t> SourceWindow::Find(std::string_view text, int64_t from, int64_t limit) {
  while (from < limit) {
    const std::string_view here = At(from, kBytes);
    const size_t found = here.find(text);
    if (found != std::string_view::npos && from + static_cast<int64_t>(found) < limit)
      return from + static_cast<int64_t>(found);
    if (here.size() < kBytes) return std::nullopt;
    from += static_cast<int64_t>(kBytes - text.size() + 1);
  }
  return std::nullopt;
}

}  // namespace grym
