// A workflow document, parsed: plain values, in the words of the schema.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grymsynth/error.h"
#include "grymsynth/workflow.h"
#include "workflow/operations.h"
#include "workflow/path.h"

namespace grym {

// workflow-semantics: limits of a document.
inline constexpr size_t kMaxDocumentBytes = size_t{1} << 20;
inline constexpr int kMaxDocumentDepth = 64;
inline constexpr size_t kMaxDocumentSteps = 1000;
inline constexpr size_t kMaxStepInputs = 64;
inline constexpr size_t kMaxDocumentString = size_t{256} << 10;
inline constexpr int64_t kMaxStepVisits = 10000;
inline constexpr int64_t kDefaultStepVisits = 1000;
inline constexpr int kMaxLoopVisits = 100;
inline constexpr int kDefaultLoopVisits = 10;

enum class CompareOperator { kEquals, kContains, kGreaterThan, kLessThan };

struct StepCondition {
  CompareOperator op = CompareOperator::kEquals;
  std::string left_text;
  Path left;
  Json right;                      // a literal, a reference, or {"$literal"}, {"$ref"}, {"$template"}
  std::optional<bool> if_missing;  // the outcome where the left path is missing
};

// One entry of nextSteps.conditional.
struct StepBranch {
  enum class When { kTrue, kFalse, kError, kComparison };
  When when = When::kTrue;
  StepCondition comparison;  // of kComparison
  std::string target;
};

struct StepInput {
  std::string source;  // "parameter", "previous_step", "context"
  std::string key;
  std::string name;  // "" : filled in order
  bool optional = false;
  Path path;  // from the roots: parameters... or context...
};

struct RetryPolicy {
  int max_attempts = 3;  // counts the first
  int64_t initial_ms = 200;
  double factor = 2;
  int64_t max_ms = 30000;
  bool full_jitter = true;
  std::vector<std::string> on = {"transient", "resource", "operation"};
};

struct StepDefinition {
  std::string id;
  StepType type = StepType::kAnalysis;
  std::string operation;
  std::vector<StepInput> inputs;
  Json parameters = Json::Object();
  std::optional<StepCondition> condition;
  std::string default_next;
  std::vector<StepBranch> branches;
  std::string as;
  RetryPolicy retry;
  int64_t timeout_ms = 0;   // of an attempt; 0: none
  int64_t deadline_ms = 0;  // of a visit; 0: none
  bool effects_once = false;
  int loop_max_visits = 0;    // 0: the default
  std::string loop_on_limit;  // "": fail
  std::string on_error;

  bool ends() const { return default_next.empty() && branches.empty(); }
};

struct Workflow::Document {
  std::string id, name, description, initial_step;
  std::map<std::string, StepDefinition> steps;
  Json::ObjectType parameters;  // defaults; null: must be given
  Json::ObjectType parameter_schemas;
  int64_t max_visits = kDefaultStepVisits;
  int64_t execution_ms = 0;  // 0: none
  bool durability_full = true;
  std::map<std::string, Path> output;  // empty: the last step's result
  std::string canonical;               // JSON text
  std::string digest;
  std::filesystem::path folder;
};

// Parses and checks the document in itself: schema, names, targets, literals. Operations are not looked at.
absl::StatusOr<Workflow::Document> ParseDocument(std::string_view json, std::filesystem::path folder);

}  // namespace grym
