// The built-in operations of workflows, run through the orchestrator.
#pragma once
#include <filesystem>
#include <string>

#include "grymsynth/audio_processor.h"
#include "grymsynth/model_orchestrator.h"
#include "grymsynth/pattern_memory.h"
#include "grymsynth/pattern_recognizer.h"
#include "workflow/operations.h"

namespace grym {

// Borrowed; must outlive the runner.
struct StepServices {
  AudioProcessor* processor = nullptr;
  PatternMemory* memory = nullptr;
  PatternRecognizer* recognizer = nullptr;
  ModelOrchestrator* orchestrator = nullptr;
  std::filesystem::path output_dir;  // where export writes
  std::string output_name;           // stem of exported names; "": from the original
};

class StepRunner : public OperationRunner {
 public:
  explicit StepRunner(StepServices services) : services_(std::move(services)) {}
  absl::StatusOr<Json> Run(const OperationCall& call, const RunOptions& run) override;

 private:
  StepServices services_;
};

}  // namespace grym
