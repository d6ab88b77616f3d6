// Files that a document itself names: no address of the net, and inside the document's folder.
#pragma once
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "workflow/document.h"
#include "workflow/operations.h"
#include "workflow/schema_reader.h"

namespace grym {

// What a run may open and write by name: files inside the document's folder, and whatever the caller named at the
// start, whose word is the program's own. However the document came by another name (a default, a template, a result),
// it is refused.
class FileRoots {
 public:
  // `given`: the parameters that the caller passed, without the document's defaults. `made`: where the run keeps what
  // it makes; results may name files there, which later steps read.
  FileRoots(std::filesystem::path folder, const Json& given, std::filesystem::path made);
  // The file that `value` means: as it came when the caller gave it, else below the document's folder. Errors as
  // CheckFileValue.
  absl::StatusOr<std::string> Resolve(const std::string& value) const;
  // The same for a file that is only read.
  absl::StatusOr<std::string> ResolveInput(const std::string& value) const;

 private:
  std::filesystem::path folder_, made_;
  std::set<std::string> trusted_;
};

// Whether a step parameter or a workflow parameter of that name is a file wherever it stands.
bool IsFileName(const std::string& name);
// Whether a workflow parameter names a file: `audioFile`, `path`, or one whose schema has the format "file".
bool IsFileParameter(const Workflow::Document& document, const std::string& name);
// InvalidArgument with code "url_not_allowed" for an address of the net.
absl::Status CheckNoUrl(const std::string& value);
// InvalidArgument with code "url_not_allowed" or "outside_file_roots" (after links are followed).
absl::Status CheckFileValue(const std::string& value, const std::filesystem::path& root);
// Every file value written in the document: workflow parameters, and step parameters of those names.
void CheckFileValues(const Workflow::Document& document, const OperationSet& operations, SchemaReader& reader);

}  // namespace grym
