// The operations that listen: patterns (and learns them), features, classify.
#include <algorithm>

#include "base/progress.h"
#include "base/status.h"
#include "steps/operations.h"
#include "steps/step_values.h"

namespace grym {
namespace {

// Patterns as similar as this, from the same source, are the same pattern heard again.
constexpr double kSamePattern = 0.9999;
constexpr int kRelatedPerPattern = 3;
constexpr size_t kMostRelated = 8;

absl::StatusOr<bool> AlreadyKnown(PatternRecognizer& recognizer, const AudioPattern& pattern) {
  GRYM_ASSIGN_OR_RETURN(const std::vector<PatternMatch> matches,
                        recognizer.FindSimilarPatterns(pattern, kSamePattern, 20));
  return std::any_of(matches.begin(), matches.end(), [&](const PatternMatch& match) {
    return match.pattern.source == pattern.source && match.pattern.description == pattern.description;
  });
}

// Stores what is not stored yet: a second hearing of the same file, or a second attempt, teaches nothing new.
absl::Status Learn(PatternRecognizer& recognizer, const AudioPatterns& patterns) {
  AudioPatterns fresh;
  fresh.duration_s = patterns.duration_s;
  for (const AudioPattern& pattern : patterns.patterns) {
    GRYM_ASSIGN_OR_RETURN(const bool known, AlreadyKnown(recognizer, pattern));
    if (!known) fresh.patterns.push_back(pattern);
  }
  return fresh.patterns.empty() ? absl::OkStatus() : recognizer.LearnPatterns(fresh);
}

// What the memory holds, from other recordings, that belongs with the strongest patterns here.
absl::StatusOr<Json> Related(PatternRecognizer& recognizer, const AudioPatterns& patterns) {
  Json related = Json::Array();
  AudioPatterns found;
  std::vector<RelatedPattern> all;
  for (size_t i = 0; i < patterns.patterns.size() && i < 6; ++i) {
    GRYM_ASSIGN_OR_RETURN(const std::vector<RelatedPattern> some, recognizer.GetRelatedPatterns(patterns.patterns[i]));
    int taken = 0;
    for (const RelatedPattern& candidate : some) {
      const bool repeated = std::any_of(all.begin(), all.end(), [&](const RelatedPattern& other) {
        return other.match.pattern.id == candidate.match.pattern.id;
      });
      if (repeated || candidate.match.pattern.source == patterns.patterns[i].source || taken >= kRelatedPerPattern)
        continue;
      all.push_back(candidate);
      ++taken;
    }
  }
  for (const RelatedPattern& candidate : all) {
    if (found.patterns.size() >= kMostRelated) break;
    AudioPattern pattern = candidate.match.pattern;
    pattern.id = 0;
    found.patterns.push_back(std::move(pattern));
  }
  GRYM_ASSIGN_OR_RETURN(const Json listed, Json::Parse(PatternsToJson(found), ResultLimits()));
  for (size_t i = 0; i < listed.at("patterns").size(); ++i) {
    Json item = Json::Object();
    item["pattern"] = listed.at("patterns").at(i);
    item["relation"] = all[i].relation;
    item["similarity"] = all[i].match.similarity;
    item["meanScore"] = all[i].match.mean_score;
    related.push_back(std::move(item));
  }
  return related;
}

}  // namespace

absl::StatusOr<Json> RunPatterns(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, RecordingOf(call, "audio"));
  const RunOptions hearing = PartOf(run, 0, 0.95);
  GRYM_ASSIGN_OR_RETURN(const Json heard,
                        HearThrough(*services.orchestrator, Capability::kDetectPatterns, {path}, hearing));
  GRYM_ASSIGN_OR_RETURN(AudioPatterns patterns, PatternsFromJson(heard.Dump()));
  for (AudioPattern& pattern : patterns.patterns) pattern.source = path.string();
  GRYM_ASSIGN_OR_RETURN(Json related, Related(*services.recognizer, patterns));
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  GRYM_RETURN_IF_ERROR(Learn(*services.recognizer, patterns));
  GRYM_ASSIGN_OR_RETURN(Json result, Json::Parse(PatternsToJson(patterns), ResultLimits()));
  result["audioFile"] = path.string();
  result["related"] = std::move(related);
  return result;
}

absl::StatusOr<Json> RunFeatures(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, RecordingOf(call, "audio"));
  GRYM_ASSIGN_OR_RETURN(Json result, HearThrough(*services.orchestrator, Capability::kAnalyze, {path}, run));
  result["audioFile"] = path.string();
  return result;
}

absl::StatusOr<Json> RunClassify(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, RecordingOf(call, "audio"));
  GRYM_ASSIGN_OR_RETURN(Json result, HearThrough(*services.orchestrator, Capability::kClassifyStyle, {path}, run));
  result["audioFile"] = path.string();
  return result;
}

}  // namespace grym
