// A regular file opened for reading at any offset, and the part of it that a decoder may see.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

struct ByteRange {
  int64_t begin = 0;
  int64_t length = 0;
};

// What a decoder sees: a header that we wrote after checking the file's own, then parts of the file in their order.
// Chunks, tags and pictures of strangers never reach it.
struct SourceView {
  std::string prefix;
  std::vector<ByteRange> parts;
  int64_t prefix_frames = 0;  // what the prefix itself decodes to, which is no audio of the file
  int64_t size() const;
  size_t Read(const SourceFile& file, int64_t position, void* to, size_t bytes) const;
};

// A file through a window that moves forward, for millions of small looks. Threads: one at a time.
class SourceWindow {
 public:
  static constexpr size_t kBytes = 64 << 10;
  explicit SourceWindow(const SourceFile& file) : file_(file) {}
  // The bytes [offset, offset + bytes), at most kBytes, cut at the end of the file. Borrowed until the next look.
  std::string_view At(int64_t offset, size_t bytes);
  // Where `text` (not empty) begins next, at `from` or later but before `limit`.
  std::optional<int64_t> Find(std::string_view text, int64_t from, int64_t limit);

 private:
  const SourceFile& file_;
  int64_t begin_ = 0;
  std::string bytes_;
};

}  // namespace grym
