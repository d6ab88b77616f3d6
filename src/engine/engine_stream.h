// A stream together with everything that it stands on: model, generator, its share of the budget.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/calls.h"
#include "grymsynth/generation_stream.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {

class EngineStream : public GenerationStream {
 public:
  // Routes to one model, checks, leases. InvalidArgument (code "not_streamed") where the task takes several models
  // or takes.
  static absl::StatusOr<std::unique_ptr<GenerationStream>> Open(ModelOrchestrator& orchestrator,
                                                                std::shared_ptr<RunningCalls> calls,
                                                                GenerateAudioRequest request);
  static absl::StatusOr<std::unique_ptr<GenerationStream>> Resume(ModelOrchestrator& orchestrator,
                                                                  std::shared_ptr<RunningCalls> calls,
                                                                  std::string_view model,
                                                                  const std::filesystem::path& saved);

  absl::StatusOr<AudioBuffer> Next(const RunOptions& run) override;
  absl::StatusOr<GenerateAudioResult> Finish() override;
  absl::Status Save(const std::filesystem::path& path) const override {
    return broken_.ok() ? stream_->Save(path) : broken_;
  }

 private:
  EngineStream() = default;

  std::shared_ptr<RunningCalls> calls_;
  ResourceLease lease_;
  std::vector<std::string> warnings_;
  absl::Status broken_;  // of the first Next that failed
  // What is below stands on what is above it.
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<GenerationStream> stream_;
};

}  // namespace grym
