// Names that a model's own files give, resolved without leaving the model.
#pragma once
#include <filesystem>
#include <string_view>

#include "absl/status/statusor.h"

namespace grym {

// Where `name` of `folder` truly lies: a regular file of that folder itself, or of the blobs that its snapshots link
// to: <model>/snapshots/<revision>[/folder]/name -> <model>/blobs/<hash>.
// Source: huggingface_hub 1.x, docs/source/en/guides/manage-cache.md.
// InvalidArgument (code "outside_folder") for a name that is no plain one, or a link to anywhere else; NotFound
// ("file_not_found"); InvalidArgument ("not_a_file").
absl::StatusOr<std::filesystem::path> FileInside(const std::filesystem::path& folder, std::string_view name);

// A folder right below `folder`, links resolved. Errors alike; NotFound has code "folder_not_found".
absl::StatusOr<std::filesystem::path> FolderInside(const std::filesystem::path& folder, std::string_view name);

}  // namespace grym
