// Workflows: JSON documents of steps, checked as a whole, run durably, resumed after a crash.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/error.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"

namespace grym {

struct WorkflowPlanStep {
  std::string id;
  std::string type;       // "analysis", "generation", "conditional", "transformation"
  std::string operation;
  std::vector<std::string> next;  // every step that can follow
  bool in_cycle = false;
};

struct WorkflowPlan {
  std::string id, name;
  std::vector<WorkflowPlanStep> steps;     // initial step first, then by first reach
  std::vector<Problem> warnings;
};

// A document that was parsed and found valid in itself. Immutable; cheap to copy.
class GRYM_EXPORT Workflow {
 public:
  // InvalidArgument with every problem (ErrorProblems) for JSON that does not parse or break the schema.
  static absl::StatusOr<Workflow> FromJson(std::string_view json);
  static absl::StatusOr<Workflow> FromFile(const std::filesystem::path& path);
  // The built-in ones: "audio-enhancement". NotFound lists the names.
  static absl::StatusOr<Workflow> Template(std::string_view name);
  static std::vector<std::string> TemplateNames();

  const std::string& id() const;
  const std::string& name() const;
  std::string ToJson() const;   // canonical: sorted members, shortest numbers
  std::string Digest() const;   // SHA-256 of ToJson, hex
  const std::filesystem::path& folder() const;  // of the file, or the working folder
  // Checks the document against the built-in operations (names, inputs, references, branches, cycles):
  // InvalidArgument with all problems, or the steps and warnings. Costs nothing and runs nothing.
  absl::StatusOr<WorkflowPlan> Plan() const;

  struct Document;
  const Document& document() const { return *document_; }
  explicit Workflow(std::shared_ptr<const Document> document) : document_(std::move(document)) {}

 private:
  std::shared_ptr<const Document> document_;
};

enum class VisitState { kRunning, kCompleted, kFailed, kInterrupted };

struct WorkflowVisit {
  std::string step;
  int visit = 1;           // counts from 1
  int attempts = 1;
  VisitState state = VisitState::kRunning;
  std::string outcome;     // "true", "false" or "" without a condition
  std::string next;        // the branch chosen; "" at the end
  double seconds = 0;      // the last attempt; 0 when taken over from an earlier process
  std::string result_json; // as journalled
};

struct WorkflowRun {
  std::string execution_id;
  std::string workflow_id;
  std::string state;                  // "completed", "failed", "cancelled", "interrupted"
  std::vector<WorkflowVisit> visits;  // in order
  std::string result_json;            // of the last step
  absl::Status error;                 // of a failed run: its cause
  std::filesystem::path files;        // where the journal keeps results named by content
  int64_t created_ms = 0;             // wall clock, milliseconds since 1970
};

struct WorkflowEvent {
  int64_t sequence = 0;
  std::string kind;  // "started", "visit_started", "visit_completed", "visit_failed", "completed", "failed", ...
  std::string step;
  int visit = 0;
  std::string text;
  int64_t at_ms = 0;  // wall clock, milliseconds since 1970
};
using WorkflowEventFn = std::function<void(const WorkflowEvent&)>;

}  // namespace grym
