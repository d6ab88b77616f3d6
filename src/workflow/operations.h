// What a step may do: the declared facts of each operation, which a document is checked against, and the interface
// behind which operations run. This room knows no audio; whoever runs operations is handed in.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/job.h"

namespace grym {

class ContentStore;

enum class StepType { kAnalysis, kGeneration, kConditional, kTransformation };
const char* StepTypeName(StepType type);  // "analysis", ...

enum class ValueKind { kAny, kBool, kNumber, kString, kArray, kObject };

// One member of a result. `fields` of an object are its members (none: any member may exist); those of an array are
// the shape of its items (one entry, its name unused; none: any item).
struct OutputField {
  std::string name;
  ValueKind kind = ValueKind::kAny;
  std::vector<OutputField> fields;
};

struct OperationInput {
  std::string name;
  bool optional = false;
  bool file = false;  // a text here is the path of a recording
};

struct OperationParameter {
  std::string name;
  ValueKind kind = ValueKind::kAny;
  double minimum = 0, maximum = 0;   // numbers; equal: unbounded
  bool whole = false;                // numbers: integers only
  std::vector<std::string> choices;  // strings; empty: any text
};

struct OperationInfo {
  std::string name;
  int major_version = 1;
  std::vector<StepType> types;         // that a step of this operation may have
  std::vector<OperationInput> inputs;  // in order
  std::vector<OperationParameter> parameters;
  OutputField output;  // the shape of `result`
  // Published names: after each completed visit, member `second` of the result is seen as `<first>.result`, unless a
  // step or an `as` of the document has that name already. `compare` publishes `best` so.
  std::vector<std::pair<std::string, std::string>> publishes;
  bool nondeterministic = false;  // may answer differently to the same call
  bool cacheable = false;
};

using OperationSet = std::map<std::string, OperationInfo, std::less<>>;

// The operations that ship: patterns, features, classify, enhance, generate, compare, export. Pure data.
const OperationSet& BuiltinOperations();

// An input as it reaches an operation. `name` is the declared name that it fills.
struct CallInput {
  std::string name;
  std::string key;  // as the document wrote it
  Json value;
};

// One attempt of one visit. Everything but `attempt` is the same for every attempt, over restarts too.
struct OperationCall {
  std::string execution_id;
  std::string step;
  int visit = 1;
  int attempt = 1;
  std::string visit_key;  // "executionId/stepId/visit"
  std::string operation;
  std::vector<CallInput> inputs;  // in the order declared by the operation; an optional one that is missing is left out
  Json parameters;                // object; references resolved and checked against the operation
  Json previous_result;           // of this step's last completed visit, null at the first
  int64_t execution_seed = 0;
  int64_t seed = 0;               // of this visit, from execution seed, step and visit; >= 0
  ContentStore* files = nullptr;  // where audio goes; a result names it by the {"$file": ...} that the store answers

  const Json* input(std::string_view name) const {
    for (const CallInput& given : inputs) {
      if (given.name == name) return &given.value;
    }
    return nullptr;
  }
};

// Runs operations. A call must be a pure function of its OperationCall (files included), so that an attempt that a
// crash cut off can be made again. It polls run.cancel at least every 50 ms and then answers Cancelled.
// Which errors are tried again follows their status: Unavailable up to the step's maxAttempts, ResourceExhausted once,
// Aborted (the operation asks for it) up to maxAttempts, all others never.
class OperationRunner {
 public:
  virtual ~OperationRunner() = default;
  virtual absl::StatusOr<Json> Run(const OperationCall& call, const RunOptions& run) = 0;
};

}  // namespace grym
