#include "engine/sound_memory.h"

#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "base/status.h"
#include "orchestrator/router.h"

namespace grym {
namespace {

constexpr double kShortestHearing_s = 1;  // a shorter span is heard with what is around it

// One space for each embedder: its id and version, since another version's vectors mean something else.
std::string SpaceOf(const ModelInfo& info) { return info.id + " " + info.version; }

// The first occurrence, at least kShortestHearing_s long where the recording is.
AudioBuffer SoundOf(const AudioPattern& pattern, const AudioBuffer& audio) {
  const double rate = audio.rate_hz();
  double start = 0, end = audio.duration_s();
  if (!pattern.spans.empty()) {
    start = std::clamp(pattern.spans.front().start_s, 0.0, end);
    end = std::clamp(pattern.spans.front().end_s, start, end);
  }
  if (const double lacking = kShortestHearing_s - (end - start); lacking > 0) {
    start = std::max(0.0, std::min(start - lacking / 2, audio.duration_s() - kShortestHearing_s));
    end = std::min(audio.duration_s(), start + kShortestHearing_s);
  }
  const auto first = static_cast<int64_t>(std::floor(start * rate));
  return audio.Slice(first, static_cast<int64_t>(std::ceil(end * rate)) - first);
}

absl::StatusOr<ResourceLease> LeaseFor(ModelOrchestrator& orchestrator, const Model& model, Capability capability,
                                       double seconds, const RunOptions& run) {
  return orchestrator.LeaseInTurn(DemandsOf(model.info(), model.NeedToHear(capability, seconds)), run);
}

}  // namespace

absl::Status HearStoredPatterns(ModelOrchestrator& orchestrator, PatternMemory& memory, const AudioPatterns& patterns,
                                const AudioInput& audio, std::string_view model, const RunOptions& run) {
  for (const AudioPattern& pattern : patterns.patterns) {
    if (pattern.id > 0) continue;
    return Error(absl::StatusCode::kFailedPrecondition, "not_stored",
                 "hear patterns: want patterns that the memory has stored, got one without an id");
  }
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> found, orchestrator.Find(model));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Embedder> embedder, found->NewEmbedder());
  absl::StatusOr<AudioBuffer> loaded = AudioBuffer();
  if (!audio.audio()) loaded = LoadAudio(*audio.path(), {}, RunOptions{run.cancel, {}});
  GRYM_RETURN_IF_ERROR(loaded.status());
  const AudioBuffer& sound = audio.audio() ? *audio.audio() : *loaded;
  if (sound.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames", "hear patterns: want at least one frame, got none");
  }
  GRYM_ASSIGN_OR_RETURN(const ResourceLease lease, LeaseFor(orchestrator, *found, Capability::kEmbedAudio,
                                                            sound.duration_s(), run));
  const double count = static_cast<double>(patterns.patterns.size());
  for (size_t i = 0; i < patterns.patterns.size(); ++i) {
    const AudioPattern& pattern = patterns.patterns[i];
    const RunOptions part = PartOf(run, static_cast<double>(i) / count, static_cast<double>(i + 1) / count);
    GRYM_ASSIGN_OR_RETURN(const std::vector<float> heard, embedder->Embed(SoundOf(pattern, sound), part));
    GRYM_RETURN_IF_ERROR(memory.StoreHearing(pattern.id, SpaceOf(found->info()), heard));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PatternMatch>> SearchByWords(ModelOrchestrator& orchestrator, PatternMemory& memory,
                                                        std::string_view words_utf8, std::string_view model, int limit,
                                                        const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> found, orchestrator.Find(model));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Embedder> embedder, found->NewEmbedder());
  GRYM_ASSIGN_OR_RETURN(const ResourceLease lease,
                        LeaseFor(orchestrator, *found, Capability::kEmbedText, 1, run));
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> words, embedder->EmbedText(words_utf8, run));
  return memory.QueryHearing(SpaceOf(found->info()), words, limit, run);
}

}  // namespace grym
