// Files that a document itself names: no address of the net, and inside the document's folder.
#pragma once
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "workflow/document.h"
#include "workflow/operations.h"
#include "workflow/schema_reader.h"

namespace grym {

// Whether a workflow parameter names a file: `audioFile`, `path`, or one whose schema has the format "file".
bool IsFileParameter(const Workflow::Document& document, const std::string& name);
// InvalidArgument with code "url_not_allowed" or "outside_file_roots" (after links are followed).
absl::Status CheckFileValue(const std::string& value, const std::filesystem::path& root);
// Every file value written in the document: workflow parameters, and step parameters of those names.
void CheckFileValues(const Workflow::Document& document, const OperationSet& operations, SchemaReader& reader);

}  // namespace grym
