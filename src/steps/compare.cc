// The operation that judges a take, remembers how its patterns worked, and keeps the best take so far.
#include "base/progress.h"
#include "base/status.h"
#include "steps/operations.h"
#include "steps/step_values.h"

namespace grym {
namespace {

constexpr double kSameStoredPattern = 0.9999;

// Tells the memory how the take scored, for each of its patterns that is stored. A crash between this and the commit
// may record a score twice; it then weighs double in a mean, and nothing else.
absl::Status RecordOutcomes(const StepServices& services, const Json& candidate, double score,
                            const std::string& note) {
  const Json& listed = candidate.at("request").at("patterns");
  if (listed.size() == 0) return absl::OkStatus();
  Json document = Json::Object();
  document["schema"] = "grymsynth.patterns/1";
  document["durationSeconds"] = 0;
  document["patterns"] = listed;
  GRYM_ASSIGN_OR_RETURN(const AudioPatterns patterns, PatternsFromJson(document.Dump()));
  for (const AudioPattern& pattern : patterns.patterns) {
    GRYM_ASSIGN_OR_RETURN(const std::vector<PatternMatch> matches,
                          services.recognizer->FindSimilarPatterns(pattern, kSameStoredPattern, 20));
    for (const PatternMatch& match : matches) {
      if (match.pattern.source != pattern.source || match.pattern.description != pattern.description) continue;
      GRYM_RETURN_IF_ERROR(services.memory->RecordOutcome(match.pattern.id, score, note));
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> RunCompare(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path original, RecordingOf(call, "original"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path candidate, RecordingOf(call, "candidate"));
  GRYM_ASSIGN_OR_RETURN(Json result,
                        HearThrough(*services.orchestrator, Capability::kCompare, {original, candidate}, run));
  const double score = result.at("qualityScore").number();
  const Json& taken = *call.input("candidate");
  GRYM_RETURN_IF_ERROR(RecordOutcomes(services, taken, score, call.visit_key));

  const Json& before = call.previous_result;
  const bool better = !before.at("bestScore").is_number() || score > before.at("bestScore").number();
  result["best"] = better ? taken : before.at("best");
  result["bestScore"] = better ? score : before.at("bestScore").number();
  result["bestVisit"] = better ? Json(call.visit) : before.at("bestVisit");
  result["audioFile"] = original.string();
  return result;
}

}  // namespace grym
