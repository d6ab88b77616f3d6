#include "orchestrator/chain_runner.h"

#include <chrono>
#include <cmath>

#include "base/format.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/status.h"
#include "orchestrator/hand_over.h"
#include "orchestrator/router.h"

namespace grym {
namespace {

using Seconds = std::chrono::duration<double>;

// What travels from link to link.
struct Travelling {
  ProcessingResult result;
  bool has_audio = false;
  double audio_seconds = 0;  // of the last link
  int64_t peak_bytes = 0;
};

// A caller that left the seed open gets the same one for the same request.
int64_t SeedOf(const GenerateAudioRequest& request) {
  return static_cast<int64_t>(Random(HashName(RequestToJson(request))).Next() >> 11);  // exact in every JSON reader
}

absl::Status RunGenerator(const Model& model, const ChainLink& link, const ModelChain& chain, const RunOptions& run,
                          Travelling& travelling) {
  GenerateAudioRequest request = chain.task.request;
  if (travelling.has_audio) request.reference_buffer = travelling.result.generated.audio;
  GRYM_RETURN_IF_ERROR(ValidateRequest(request));
  std::vector<std::string> warnings;
  GRYM_RETURN_IF_ERROR(CheckRequestForModel(model.info(), request, &warnings));
  if (request.seed < 0) request.seed = SeedOf(request);
  if (request.reference_buffer) GRYM_RETURN_IF_ERROR(CheckGivenAudio(link, *request.reference_buffer));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Generator> session, model.NewGenerator());
  GRYM_ASSIGN_OR_RETURN(GenerateAudioResult made, session->Generate(request, run));
  GRYM_RETURN_IF_ERROR(CheckMadeAudio(link, made, WantedDuration(request)));
  made.warnings.insert(made.warnings.begin(), warnings.begin(), warnings.end());
  travelling.audio_seconds = made.audio.duration_s();
  travelling.peak_bytes = made.peak_bytes;
  travelling.result.generated = std::move(made);
  travelling.has_audio = true;
  return absl::OkStatus();
}

absl::Status RunEmbedder(const Model& model, const ChainLink& link, const ModelChain& chain, const RunOptions& run,
                         Travelling& travelling) {
  const bool reads = link.capability == Capability::kEmbedText;
  const AudioBuffer& audio = travelling.has_audio ? travelling.result.generated.audio : chain.task.audio;
  if (!reads) GRYM_RETURN_IF_ERROR(CheckGivenAudio(link, audio));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Embedder> session, model.NewEmbedder());
  absl::StatusOr<std::vector<float>> embedding =
      reads ? session->EmbedText(chain.task.request.prompt, run) : session->Embed(audio, run);
  if (!embedding.ok()) return embedding.status();
  travelling.result.embedding = *std::move(embedding);
  travelling.result.warnings = session->warnings();
  if (static_cast<int>(travelling.result.embedding.size()) != session->dims()) {
    return Error(absl::StatusCode::kInternal, "bad_hand_over",
                 Formatted("model \"%s\": want %d dimensions, got %d", link.model, session->dims(),
                                 travelling.result.embedding.size()));
  }
  for (const float value : travelling.result.embedding) {
    if (!std::isfinite(value))
      return Error(absl::StatusCode::kInternal, "bad_hand_over",
                   "model \"" + link.model + "\": want finite numbers in an embedding");
  }
  if (!reads) travelling.audio_seconds = audio.duration_s();
  return absl::OkStatus();
}

absl::Status RunAnalyzer(const Model& model, const ChainLink& link, const ModelChain& chain, const RunOptions& run,
                         Travelling& travelling) {
  std::vector<AudioInput> inputs = chain.task.inputs;
  if (inputs.empty()) {
    const AudioBuffer& audio = travelling.has_audio ? travelling.result.generated.audio : chain.task.audio;
    GRYM_RETURN_IF_ERROR(CheckGivenAudio(link, audio));
    inputs.push_back(AudioInput(audio));
    travelling.audio_seconds = audio.duration_s();
  }
  const size_t wanted = link.capability == Capability::kCompare ? 2 : 1;
  if (inputs.size() != wanted) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_hand_over",
        Formatted("input of model \"%s\": want %d recordings, got %d", link.model, wanted, inputs.size()));
  }
  if (!travelling.has_audio) travelling.audio_seconds = HeardSeconds(chain.task);
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Analyzer> session, model.NewAnalyzer());
  GRYM_ASSIGN_OR_RETURN(travelling.result.json, session->Hear(link.capability, inputs, run));
  if (travelling.result.json.empty()) {
    return Error(absl::StatusCode::kInternal, "bad_hand_over",
                 "model \"" + link.model + "\": want JSON text, got nothing");
  }
  return absl::OkStatus();
}

absl::Status RunLink(const Model& model, const ChainLink& link, const ModelChain& chain, const RunOptions& run,
                     Travelling& travelling) {
  switch (link.capability) {
    case Capability::kGenerate:
    case Capability::kEnhance:
      return RunGenerator(model, link, chain, run, travelling);
    case Capability::kEmbedAudio:
    case Capability::kEmbedText:
      return RunEmbedder(model, link, chain, run, travelling);
    default:
      return RunAnalyzer(model, link, chain, run, travelling);
  }
}

}  // namespace

absl::StatusOr<ProcessingResult> RunChain(const ModelChain& chain, const ModelRegistry& registry, CostTable& costs,
                                          ResourceBudget& budget, double most_wait_s, const RunOptions& run) {
  if (chain.links.empty())
    return Error(absl::StatusCode::kInvalidArgument, "empty_chain", "chain: want at least one link, got none");
  Travelling travelling;
  for (size_t i = 0; i < chain.links.size(); ++i) {
    const ChainLink& link = chain.links[i];
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, registry.Find(link.model));
    const double count = static_cast<double>(chain.links.size());
    const RunOptions part = PartOf(run, static_cast<double>(i) / count, static_cast<double>(i + 1) / count);
    GRYM_ASSIGN_OR_RETURN(const ResourceLease lease,
                          budget.LeaseInTurn(DemandsOf(model->info(), link.need), part, most_wait_s));
    const auto started = std::chrono::steady_clock::now();
    travelling.audio_seconds = 0;
    travelling.peak_bytes = 0;
    GRYM_RETURN_IF_ERROR(RunLink(*model, link, chain, part, travelling));
    const double wall = Seconds(std::chrono::steady_clock::now() - started).count();
    // Another model may have come by the id meanwhile; what this one cost says nothing of it.
    if (const auto now = registry.Find(link.model); now.ok() && *now == model)
      costs.Record({link.model, link.capability, travelling.audio_seconds, wall, travelling.peak_bytes, true});
    travelling.result.trace.push_back(Formatted(
        "%s %s: %.3f s, %s", link.model, std::string(CapabilityName(link.capability)), wall,
        MakesAudio(link.capability) ? "rate, channels, duration and samples as declared" : "answer as declared"));
  }
  return std::move(travelling.result);
}

}  // namespace grym
