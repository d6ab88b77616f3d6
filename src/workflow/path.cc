#include "workflow/path.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"

namespace grym {
namespace {

absl::Status BadPath(std::string_view text, std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_path",
               "path \"" + Printable(text, 100) + "\": " + std::string(what));
}

// ["a.b"] from position `at`, JSON string syntax inside.
absl::Status QuotedSegment(std::string_view text, size_t& at, Path& path) {
  size_t end = at + 2;
  if (end > text.size() || text[at + 1] != '"') return BadPath(text, "want [\"name\"] after an open bracket");
  while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  if (end + 1 >= text.size() || text[end + 1] != ']') return BadPath(text, "want a closing \"]");
  const absl::StatusOr<Json> name = Json::Parse(text.substr(at + 1, end - at));
  if (!name.ok()) return BadPath(text, "want a quoted name in the brackets");
  path.push_back(name->text());
  at = end + 2;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Path> ParsePath(std::string_view text) {
  Path path;
  size_t at = 0;
  while (true) {
    if (at < text.size() && text[at] == '[') {
      GRYM_RETURN_IF_ERROR(QuotedSegment(text, at, path));
    } else {
      const size_t end = std::min(text.find_first_of(".[", at), text.size());
      if (end == at) return BadPath(text, "want no empty segment");
      const std::string_view name = text.substr(at, end - at);
      if (name.find_first_of(" \"]") != std::string_view::npos)
        return BadPath(text, "want [\"...\"] around a name with spaces or quotes");
      path.emplace_back(name);
      at = end;
    }
    if (at == text.size()) return path;
    if (text[at] == '[') continue;
    if (text[at] != '.') return BadPath(text, "want a dot after a bracket");
    ++at;
  }
}

std::string PathText(const Path& path) {
  std::string text;
  for (const std::string& segment : path) {
    if (segment.empty() || segment.find_first_of(".[]\" ") != std::string::npos) {
      text += "[" + Json(segment).Dump() + "]";
    } else {
      text += (text.empty() ? "" : ".") + segment;
    }
  }
  return text;
}

const Json* LookUp(const Json& root, const Path& path, size_t first) {
  const Json* at = &root;
  for (size_t i = first; i < path.size() && at; ++i) {
    const std::string& segment = path[i];
    if (at->is_array()) {
      size_t index = 0;
      const auto [stop, error] = std::from_chars(segment.data(), segment.data() + segment.size(), index);
      const bool plain =
          error == std::errc() && stop == segment.data() + segment.size() && (segment == "0" || segment[0] != '0');
      at = plain && index < at->size() ? &at->items()[index] : nullptr;
    } else {
      at = at->find(segment);
    }
  }
  return at;
}

}  // namespace grym
