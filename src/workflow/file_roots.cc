#include "workflow/file_roots.h"

#include <algorithm>

#include "base/status.h"
#include "workflow/plan.h"
#include "workflow/reference.h"

namespace grym {
namespace {

// "scheme://", a scheme after RFC 3986.
bool IsUrl(const std::string& value) {
  const size_t colon = value.find("://");
  if (colon == std::string::npos || colon == 0) return false;
  return std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
  });
}

// Every text in `json`, at any depth.
void CollectTexts(const Json& json, std::set<std::string>& texts) {
  if (json.is_string()) texts.insert(json.text());
  for (const Json& item : json.items()) CollectTexts(item, texts);
  for (const auto& [name, member] : json.members()) CollectTexts(member, texts);
}

}  // namespace

FileRoots::FileRoots(std::filesystem::path folder, const Json& given, std::filesystem::path made)
    : folder_(std::move(folder)), made_(std::move(made)) {
  CollectTexts(given, trusted_);
}

absl::StatusOr<std::string> FileRoots::Resolve(const std::string& value) const {
  if (trusted_.count(value)) return value;
  GRYM_RETURN_IF_ERROR(CheckFileValue(value, folder_));
  return (folder_ / value).lexically_normal().string();
}

absl::StatusOr<std::string> FileRoots::ResolveInput(const std::string& value) const {
  if (std::filesystem::path(value).is_absolute() && CheckFileValue(value, made_).ok()) return value;
  return Resolve(value);
}

bool IsFileName(const std::string& name) { return name == "audioFile" || name == "path"; }

bool IsFileParameter(const Workflow::Document& document, const std::string& name) {
  if (IsFileName(name)) return true;
  const auto schema = document.parameter_schemas.find(name);
  return schema != document.parameter_schemas.end() && schema->second.at("format").text() == "file";
}

absl::Status CheckNoUrl(const std::string& value) {
  if (!IsUrl(value)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "url_not_allowed",
               "want a file, got an address: \"" + Printable(value, 100) + "\"");
}

absl::Status CheckFileValue(const std::string& value, const std::filesystem::path& root) {
  GRYM_RETURN_IF_ERROR(CheckNoUrl(value));
  std::error_code error;
  const std::filesystem::path inside = std::filesystem::weakly_canonical(root, error);
  const std::filesystem::path target = std::filesystem::weakly_canonical(root / value, error);
  const auto [left, right] = std::mismatch(inside.begin(), inside.end(), target.begin(), target.end());
  if (error || value.find('\0') != std::string::npos || left != inside.end()) {
    return Error(absl::StatusCode::kInvalidArgument, "outside_file_roots",
                 "want a file inside the document's folder, got \"" + Printable(value, 100) + "\"");
  }
  return absl::OkStatus();
}

void CheckFileValues(const Workflow::Document& document, const OperationSet& operations, SchemaReader& reader) {
  const auto check = [&](const std::string& pointer, const Json& value) {
    if (!value.is_string()) return;
    const absl::Status status = CheckFileValue(value.text(), document.folder);
    if (!status.ok()) reader.Report(pointer, ErrorCode(status), std::string(status.message()));
  };
  for (const auto& [name, value] : document.parameters) {
    if (IsFileParameter(document, name)) check("/parameters/" + PointerToken(name), value);
  }
  for (const auto& [id, step] : document.steps) {
    if (!OperationOf(step, operations)) continue;
    for (const auto& [name, value] : step.parameters.members()) {
      if (IsFileName(name) && IsLiteral(value))
        check("/steps/" + id + "/parameters/" + PointerToken(name), LiteralValue(value));
    }
  }
}

}  // namespace grym
