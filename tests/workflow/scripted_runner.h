// Operations that answer from a script: what the executor does with them is under test, not what they do.
#pragma once
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "workflow/content_store.h"
#include "workflow/operations.h"

namespace grym::testing {

class ScriptedRunner : public OperationRunner {
 public:
  // Score of the candidate whose audio was made by this step.
  std::map<std::string, double> scores = {{"generate-enhanced", 0.5}, {"regenerate", 0.5}};
  std::function<absl::StatusOr<Json>(const OperationCall&, const RunOptions&)> instead;  // for tests of failures
  std::vector<std::string> runs;                                                         // visit keys, in order
  std::vector<OperationCall> calls;
  std::FILE* log = nullptr;  // one line a run, kept over a kill

  absl::StatusOr<Json> Run(const OperationCall& call, const RunOptions& run) override {
    runs.push_back(call.visit_key);
    calls.push_back(call);
    if (log) {
      std::fprintf(log, "%s\n", call.visit_key.c_str());
      std::fflush(log);
    }
    if (instead) return instead(call, run);
    return Answer(call);
  }

  absl::StatusOr<Json> Answer(const OperationCall& call) const {
    Json result = Json::Object();
    if (call.operation == "patterns" || call.operation == "features") {
      result["audioFile"] = *call.input("audio");
      result["patterns"] = std::string(20000, 'p');  // too large for a row
    } else if (call.operation == "generate") {
      GRYM_ASSIGN_OR_RETURN(result["audio"], call.files->PutBytes(call.step + " " + std::to_string(call.seed)));
      result["madeBy"] = call.step;
    } else if (call.operation == "compare") {
      const Json& candidate = *call.input("candidate");
      const double score = scores.at(candidate.at("madeBy").text());
      const Json& before = call.previous_result;
      const bool keep = before.contains("bestScore") && before.at("bestScore").number() >= score;
      result["qualityScore"] = score;
      result["improvementAreas"] = Json::Array();
      result["best"] = keep ? before.at("best") : candidate;
      result["bestScore"] = keep ? before.at("bestScore") : Json(score);
      result["bestVisit"] = keep ? before.at("bestVisit") : Json(call.visit);
    } else if (call.operation == "export") {
      result["audio"] = call.input("take")->at("audio");
      result["path"] = "out.wav";
    }
    return result;
  }
};

// The plan's own example, as far as it says what this room must do with it.
inline std::string PlanExample() {
  return R"json({
  "id": "audio-enhancement-workflow", "name": "Audio Enhancement Workflow", "initialStep": "analyze-audio",
  "steps": {
    "analyze-audio": {"id": "analyze-audio", "type": "analysis", "operation": "patterns",
      "inputs": [{"source": "parameter", "key": "audioFile"}], "parameters": {}, "nextSteps": {"default": "extract-features"}},
    "extract-features": {"id": "extract-features", "type": "analysis", "operation": "features",
      "inputs": [{"source": "parameter", "key": "audioFile"}], "parameters": {}, "nextSteps": {"default": "generate-enhanced"}},
    "generate-enhanced": {"id": "generate-enhanced", "type": "generation", "operation": "generate",
      "inputs": [{"source": "previous_step", "key": "analyze-audio.result"}, {"source": "previous_step", "key": "extract-features.result"}],
      "parameters": {"enhancementLevel": 0.5, "preserveOriginalCharacteristics": true}, "nextSteps": {"default": "evaluate-result"}},
    "evaluate-result": {"id": "evaluate-result", "type": "analysis", "operation": "compare",
      "inputs": [{"source": "parameter", "key": "audioFile"}, {"source": "previous_step", "key": "generate-enhanced.result"}],
      "parameters": {}, "condition": {"operator": "greater_than", "leftOperand": "result.qualityScore", "rightOperand": 0.8},
      "nextSteps": {"conditional": [{"condition": "true", "stepId": "finalize"}, {"condition": "false", "stepId": "regenerate"}]}},
    "regenerate": {"id": "regenerate", "type": "generation", "operation": "generate",
      "inputs": [{"source": "previous_step", "key": "analyze-audio.result"}, {"source": "previous_step", "key": "extract-features.result"},
                 {"source": "previous_step", "key": "evaluate-result.result"}],
      "parameters": {"enhancementLevel": 0.7, "preserveOriginalCharacteristics": true,
                     "focusAreas": "context.evaluate-result.result.improvementAreas"}, "nextSteps": {"default": "evaluate-result"}},
    "finalize": {"id": "finalize", "type": "transformation", "operation": "export",
      "inputs": [{"source": "previous_step", "key": "generate-enhanced.result"}],
      "parameters": {"format": "wav", "sampleRate": 44100, "bitDepth": 16}, "nextSteps": {}}
  },
  "parameters": {"audioFile": null}})json";
}

}  // namespace grym::testing
