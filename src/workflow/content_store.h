// Files named by the SHA-256 of their bytes: audio, and results too large for a row.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/job.h"

namespace grym {

// A file lies at <folder>/<first two digits>/<sha256>. It is written beside, synced, renamed, and its folder synced
// before Put returns, so a journal row that names it never outlives it.
// Threads: any.
class ContentStore {
 public:
  explicit ContentStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // {"$file": sha256, "bytes": n}: what a result says instead of the bytes. Members may be added beside these two.
  absl::StatusOr<Json> PutBytes(std::string_view bytes);
  // `write` makes a file at the path it is given, in this store, and syncs it; it is then named by what it holds.
  absl::StatusOr<Json> PutWritten(const std::function<absl::Status(const std::filesystem::path&)>& write,
                                  const CancelToken& cancel = {});

  // The file's place; NotFound (code "file_missing") when it is gone. Takes a reference or a bare SHA-256.
  absl::StatusOr<std::filesystem::path> Find(const Json& reference) const;
  // Checks the bytes against the name: DataLoss (code "file_damaged").
  absl::StatusOr<std::string> Read(const Json& reference, int64_t limit_bytes) const;

  // Removes every file that is not in `keep`, and what an interrupted Put left. Answers how many. Nobody may Put
  // meanwhile.
  absl::StatusOr<int64_t> Collect(const std::set<std::string>& keep);
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path PathOf(const std::string& sha256) const;
  std::filesystem::path folder_;
};

// Every SHA-256 that a {"$file": ...} anywhere in `json` names.
void FileReferences(const Json& json, std::set<std::string>& found);

}  // namespace grym
