// A regular file mapped into memory for reading, without ever blocking on a name that is a pipe or a device.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

// Private and read-only: nothing is copied, and pages that the system wants back cost nothing.
// Threads: const methods may run together.
class MappedFile {
 public:
  // NotFound (code "file_not_found"); PermissionDenied ("file_unreadable"); InvalidArgument ("not_a_file") for a
  // folder, pipe, device or socket; ResourceExhausted ("file_too_large") with both numbers beyond `limit_bytes`.
  static absl::StatusOr<MappedFile> Open(const std::filesystem::path& path, int64_t limit_bytes);
  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  int64_t size() const { return size_; }             // when it was opened
  const std::string& name() const { return name_; }  // quoted, safe for messages
  // DataLoss (code "file_changed") when the file is shorter by now: a look at pages beyond its end would end the
  // process. A file cut between this check and the look cannot be caught; nobody should write into a model's folder.
  absl::Status CheckLength() const;
  // Everything, for as long as this lives, wherever it is moved. Call CheckLength() before a look.
  std::span<const std::byte> bytes() const { return {data_, static_cast<size_t>(size_)}; }
  // What will be wanted soon, and what is not wanted any more; hints. Requires a range inside bytes().
  void Prefetch(int64_t offset, int64_t length) const;
  void Forget(int64_t offset, int64_t length) const;

 private:
  MappedFile() = default;
  void Close();
  absl::Status Map();
  std::string name_;
  const std::byte* data_ = nullptr;
  int64_t size_ = 0;
#ifdef _WIN32
  void* handle_ = nullptr;
#else
  int handle_ = -1;  // kept open for CheckLength
#endif
};

}  // namespace grym
