#include "grymsynth/workflow.h"

#include "base/fs.h"
#include "base/status.h"
#include "workflow/document.h"
#include "workflow/plan.h"
#include "workflow/schema_reader.h"
#include "workflow/templates/audio_enhancement.h"

namespace grym {
namespace {

std::filesystem::path WorkingFolder() {
  std::error_code ignored;
  return std::filesystem::current_path(ignored);
}

absl::StatusOr<Workflow> FromText(std::string_view json, std::filesystem::path folder) {
  GRYM_ASSIGN_OR_RETURN(Workflow::Document document, ParseDocument(json, std::move(folder)));
  return Workflow(std::make_shared<const Workflow::Document>(std::move(document)));
}

}  // namespace

absl::StatusOr<Workflow> Workflow::FromJson(std::string_view json) { return FromText(json, WorkingFolder()); }

absl::StatusOr<Workflow> Workflow::FromFile(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, static_cast<int64_t>(kMaxDocumentBytes)));
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::absolute(path, ignored).parent_path();
  absl::StatusOr<Workflow> workflow = FromText(text, folder);
  if (!workflow.ok()) return Annotate(workflow.status(), "\"" + Printable(path.string()) + "\"");
  return workflow;
}

absl::StatusOr<Workflow> Workflow::Template(std::string_view name) {
  if (name == "audio-enhancement") return FromJson(kAudioEnhancementTemplate);
  const std::string hint = ClosestLegal(name, TemplateNames());
  return Error(absl::StatusCode::kNotFound, "unknown_template",
               "template: want one of " + Join(TemplateNames(), ", ") + ", got \"" + Printable(name) + "\"" +
                   (hint.empty() ? "" : " (did you mean \"" + hint + "\"?)"));
}

std::vector<std::string> Workflow::TemplateNames() { return {"audio-enhancement"}; }

const std::string& Workflow::id() const { return document_->id; }
const std::string& Workflow::name() const { return document_->name; }
std::string Workflow::ToJson() const { return document_->canonical; }
std::string Workflow::Digest() const { return document_->digest; }
const std::filesystem::path& Workflow::folder() const { return document_->folder; }

absl::StatusOr<WorkflowPlan> Workflow::Plan() const { return PlanDocument(*document_, BuiltinOperations()); }

}  // namespace grym
