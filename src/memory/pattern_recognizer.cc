#include "grymsynth/pattern_recognizer.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/status.h"
#include "patterns/detect.h"
#include "patterns/taxonomy.h"

namespace grym {
namespace {

constexpr size_t kMaxRelated = 20;
constexpr double kRelatedSimilarity = 0.5;  // below it a pattern of the same kind is only that
constexpr double kWorkedWell = 0.6;         // mean score

class MemoryRecognizer : public PatternRecognizer {
 public:
  MemoryRecognizer(PatternMemory* memory, Taxonomy taxonomy) : memory_(memory), taxonomy_(std::move(taxonomy)) {}

  absl::StatusOr<AudioPatterns> DetectPatterns(const AudioFeatures& features) override {
    for (int part = 0; part < kAnalysisParts; ++part) {
      const auto each = static_cast<AnalysisPart>(part);
      if (each == AnalysisPart::kLoudness || features.parts.has(each)) continue;
      return Error(absl::StatusCode::kFailedPrecondition, "missing_part",
                   Formatted("patterns: want features of everything but loudness, got some without \"%s\"",
                             AnalysisPartName(each)));
    }
    return DetectPatternsIn(features);
  }

  absl::Status LearnPatterns(AudioPatterns& patterns) override {
    GRYM_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, memory_->Store(patterns.patterns));
    for (size_t i = 0; i < ids.size(); ++i) patterns.patterns[i].id = ids[i];
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<RelatedPattern>> GetRelatedPatterns(const AudioPattern& pattern) override;

  absl::StatusOr<PatternClassification> ClassifyPattern(const AudioPattern& pattern) override {
    return taxonomy_.Classify(pattern);
  }

  absl::StatusOr<std::vector<PatternMatch>> FindSimilarPatterns(const AudioPattern& pattern, double threshold,
                                                                int limit) override {
    if (!(threshold >= -1 && threshold <= 1)) {
      return Error(absl::StatusCode::kInvalidArgument, "bad_threshold",
                   Formatted("similar patterns: want a threshold in [-1, 1], got %g", threshold));
    }
    if (limit < 1 || limit > 999) {
      return Error(absl::StatusCode::kInvalidArgument, "bad_limit",
                   Formatted("similar patterns: want a limit of 1 to 999, got %d", limit));
    }
    // One more, since the pattern itself may be in the memory.
    GRYM_ASSIGN_OR_RETURN(std::vector<PatternMatch> matches,
                          memory_->Query({pattern.embedding, limit + 1, pattern.kind, threshold}));
    std::erase_if(matches,
                  [&](const PatternMatch& match) { return pattern.id != 0 && match.pattern.id == pattern.id; });
    if (matches.size() > static_cast<size_t>(limit)) matches.resize(static_cast<size_t>(limit));
    return matches;
  }

 private:
  absl::Status AddHeardTogether(const PatternMatch& origin, double worth,
                                std::vector<std::pair<double, RelatedPattern>>& found);

  PatternMemory* memory_;
  Taxonomy taxonomy_;
};

// How much a recorded outcome counts: nothing at 0.5, and more with every take, up to four.
double OutcomeBonus(const PatternMatch& match) {
  if (match.outcomes == 0) return 0;
  return 0.5 * (match.mean_score - 0.5) * static_cast<double>(std::min<int64_t>(match.outcomes, 4)) / 4;
}

bool SameHarmony(const AudioPattern& a, const AudioPattern& b) { return !a.chords.empty() && a.chords == b.chords; }

// What was learnt in one go with `origin` goes with it.
absl::Status MemoryRecognizer::AddHeardTogether(const PatternMatch& origin, double worth,
                                                std::vector<std::pair<double, RelatedPattern>>& found) {
  absl::StatusOr<std::vector<AudioPattern>> heard = memory_->HeardWith(origin.pattern.id, 8);
  if (heard.status().code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  if (!heard.ok()) return heard.status();
  for (AudioPattern& companion : *heard) {
    const double strength = std::clamp(companion.strength, 0.0, 1.0);
    found.push_back({worth * (0.5 + 0.5 * strength), {{std::move(companion), 0, 0, 0}, "goes with"}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RelatedPattern>> MemoryRecognizer::GetRelatedPatterns(const AudioPattern& pattern) {
  std::vector<std::pair<double, RelatedPattern>> found;  // worth, then the pattern
  GRYM_ASSIGN_OR_RETURN(std::vector<PatternMatch> similar, memory_->Query({pattern.embedding, 24, pattern.kind, -1}));
  for (const PatternMatch& match : similar) {
    // What goes with this very pattern, or with its near twins.
    if (match.pattern.id == pattern.id || match.similarity > 0.9)
      GRYM_RETURN_IF_ERROR(AddHeardTogether(match, 0.8 * match.similarity, found));
    if (match.pattern.id == pattern.id || match.similarity < kRelatedSimilarity) continue;
    const bool worked = match.outcomes > 0 && match.mean_score >= kWorkedWell;
    const char* relation = worked ? "worked well" : SameHarmony(pattern, match.pattern) ? "same harmony" : "same kind";
    found.push_back({match.similarity + OutcomeBonus(match), {match, relation}});
  }
  // The best takes of any kind are worth knowing even where nothing sounds alike.
  GRYM_ASSIGN_OR_RETURN(std::vector<PatternMatch> best, memory_->BestOutcomes(std::nullopt, 10));
  for (PatternMatch& match : best) {
    if (match.mean_score < kWorkedWell) continue;
    const double worth = 0.4 * match.mean_score + OutcomeBonus(match);
    found.push_back({worth, {std::move(match), "worked well"}});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.match.pattern.id < b.second.match.pattern.id;
  });
  std::vector<RelatedPattern> related;
  std::set<int64_t> seen = {pattern.id};
  for (auto& [worth, candidate] : found) {
    if (related.size() == kMaxRelated) break;
    if (seen.insert(candidate.match.pattern.id).second) related.push_back(std::move(candidate));
  }
  return related;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PatternRecognizer>> PatternRecognizer::Create(PatternMemory* memory,
                                                                             const PatternRecognizerOptions& options) {
  if (!memory)
    return Error(absl::StatusCode::kInvalidArgument, "no_memory_given",
                 "pattern recogniser: want a pattern memory, got none");
  if (options.taxonomy.empty()) return std::make_unique<MemoryRecognizer>(memory, Taxonomy::Default());
  GRYM_ASSIGN_OR_RETURN(Taxonomy taxonomy, Taxonomy::FromFile(options.taxonomy));
  return std::make_unique<MemoryRecognizer>(memory, std::move(taxonomy));
}

}  // namespace grym
