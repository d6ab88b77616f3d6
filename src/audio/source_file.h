// A regular file opened for reading at any offset, and the part of it that a decoder may see.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

// Threads: ReadAt may be called from several.
class SourceFile {
 public:
  // NotFound; InvalidArgument for a pipe, device, socket or folder, without blocking; ResourceExhausted with both
  // numbers for more than `limit_bytes`.
  static absl::StatusOr<std::shared_ptr<const SourceFile>> Open(const std::filesystem::path& path, int64_t limit_bytes);
  ~SourceFile();
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  int64_t size() const { return size_; }              // when it was opened
  const std::string& name() const { return name_; }  // quoted, safe for messages
  // Bytes read, fewer than asked only at the end of the file or after a failed read. Offsets from 0.
  size_t ReadAt(int64_t offset, void* to, size_t bytes) const;
  // The bytes [offset, offset + bytes), cut at the end of the file.
  std::string ReadString(int64_t offset, int64_t bytes) const;

 private:
  SourceFile() = default;
  std::string name_;
  int64_t size_ = 0;
#ifdef _WIN32
  void* handle_ = nullptr;
#else
  int descriptor_ = -1;
#endif
};

// What a decoder sees: a header that we wrote after checking the file's own, then bytes [begin, begin + length) of the
// file. Chunks, tags and pictures of strangers never reach it.
struct SourceView {
  std::string prefix;
  int64_t begin = 0;
  int64_t length = 0;
  int64_t size() const { return static_cast<int64_t>(prefix.size()) + length; }
  size_t Read(const SourceFile& file, int64_t position, void* to, size_t bytes) const;
};

}  // namespace grym
