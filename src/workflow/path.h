// Paths into JSON values: segments joined by dots, ["a.b"] for a name with dots.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

using Path = std::vector<std::string>;

// InvalidArgument (code "bad_path") for an empty segment, an open bracket or anything after a closed one but '.' or
// '['.
absl::StatusOr<Path> ParsePath(std::string_view text);
std::string PathText(const Path& path);

// The value from segment `first` on, or nullptr where it is missing. Never coerces: a number is an index of an array
// only (no sign, no leading zero), a name is a member of an object only.
const Json* LookUp(const Json& root, const Path& path, size_t first = 0);

}  // namespace grym
