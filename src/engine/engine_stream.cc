#include "engine/engine_stream.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "orchestrator/router.h"
#include "steps/make_take.h"

namespace grym {
namespace {

bool IsFinite(const AudioBuffer& audio) {
  const auto samples = audio.planar();
  return std::all_of(samples.begin(), samples.end(), [](float sample) { return std::isfinite(sample); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<GenerationStream>> EngineStream::Open(ModelOrchestrator& orchestrator,
                                                                     std::shared_ptr<RunningCalls> calls,
                                                                     GenerateAudioRequest request) {
  RunningCalls::Ticket ticket(calls);
  const CancelToken closed;
  GRYM_RETURN_IF_ERROR(ticket.Begin(closed));
  GRYM_RETURN_IF_ERROR(ValidateRequest(request));
  if (request.takes.value_or(1) != 1 || !request.rank_by.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "not_streamed",
                 "stream: want one take, got several or a model to rank them by: they are ranked once all are whole");
  }
  request.takes.reset();
  if (request.seed < 0) request.seed = RandomSeed();
  AudioTask task;
  task.model = request.model;
  task.request = request;
  GRYM_ASSIGN_OR_RETURN(const ModelChain chain, orchestrator.RouteTask(task));
  if (chain.links.size() != 1) {
    return Error(absl::StatusCode::kInvalidArgument, "not_streamed",
                 "stream: want a task of one model, got a chain of " + std::to_string(chain.links.size()));
  }
  const ChainLink& link = chain.links.front();
  std::unique_ptr<EngineStream> made(new EngineStream);
  made->calls_ = std::move(calls);
  GRYM_ASSIGN_OR_RETURN(made->model_, orchestrator.Find(link.model));
  GRYM_RETURN_IF_ERROR(CheckRequestForModel(made->model_->info(), request, &made->warnings_));
  GRYM_ASSIGN_OR_RETURN(made->lease_,
                        orchestrator.LeaseInTurn(DemandsOf(made->model_->info(), link.need), {closed, {}}));
  GRYM_ASSIGN_OR_RETURN(made->generator_, made->model_->NewGenerator());
  GRYM_ASSIGN_OR_RETURN(made->stream_, made->generator_->Stream(request));
  return made;
}

absl::StatusOr<std::unique_ptr<GenerationStream>> EngineStream::Resume(ModelOrchestrator& orchestrator,
                                                                       std::shared_ptr<RunningCalls> calls,
                                                                       std::string_view model,
                                                                       const std::filesystem::path& saved) {
  RunningCalls::Ticket ticket(calls);
  const CancelToken closed;
  GRYM_RETURN_IF_ERROR(ticket.Begin(closed));
  std::unique_ptr<EngineStream> made(new EngineStream);
  made->calls_ = std::move(calls);
  GRYM_ASSIGN_OR_RETURN(made->model_, orchestrator.Find(model));
  GRYM_ASSIGN_OR_RETURN(made->generator_, made->model_->NewGenerator());
  GRYM_ASSIGN_OR_RETURN(made->stream_, made->generator_->Resume(saved));
  // What was asked for lies in the file; a fresh request is near enough for the lease, and the model keeps its own budget.
  const ResourceNeed need = made->model_->Need(GenerateAudioRequest());
  GRYM_ASSIGN_OR_RETURN(made->lease_, orchestrator.LeaseInTurn(DemandsOf(made->model_->info(), need), {closed, {}}));
  return made;
}

absl::StatusOr<AudioBuffer> EngineStream::Next(const RunOptions& run) {
  RunningCalls::Ticket ticket(calls_);
  GRYM_RETURN_IF_ERROR(ticket.Begin(run.cancel));
  GRYM_RETURN_IF_ERROR(broken_);
  absl::StatusOr<AudioBuffer> block = stream_->Next(run);
  if (block.ok() && !IsFinite(*block)) {
    block = Error(absl::StatusCode::kInternal, "bad_hand_over",
                  "model \"" + model_->info().id + "\": want finite samples in a block");
  }
  if (!block.ok() && !absl::IsCancelled(block.status())) broken_ = block.status();
  return block;
}

absl::StatusOr<GenerateAudioResult> EngineStream::Finish() {
  RunningCalls::Ticket ticket(calls_);
  GRYM_RETURN_IF_ERROR(ticket.Begin({}));
  GRYM_RETURN_IF_ERROR(broken_);
  GRYM_ASSIGN_OR_RETURN(GenerateAudioResult result, stream_->Finish());
  result.warnings.insert(result.warnings.begin(), warnings_.begin(), warnings_.end());
  return result;
}

}  // namespace grym
