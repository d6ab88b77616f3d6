// PatternRecognizer: finds patterns, learns them, and answers which known ones they resemble.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/export.h"
#include "grymsynth/pattern.h"
#include "grymsynth/pattern_memory.h"

namespace grym {

struct RelatedPattern {
  PatternMatch match;
  std::string relation;  // "same kind", "same harmony", "goes with" (heard together), "worked well"
};

struct PatternClass {
  std::string path;   // place in the taxonomy, "harmonic/loop/four-chord"
  double score = 0;   // [0, 1]
  std::string reason; // which rule matched
};

struct PatternClassification {
  std::vector<PatternClass> classes;  // best first; never empty ("<kind>/other" at least)
  std::string taxonomy_version;
};

struct PatternRecognizerOptions {
  // A taxonomy file; empty: the built-in one, DefaultTaxonomyJson(), which is also what to start an edit from.
  std::filesystem::path taxonomy;
};

// The built-in taxonomy: JSON text of schema "grymsynth.taxonomy/1". A class has a path ("kind/..."), a score in [0, 1]
// and conditions {"field", "op", "value"} that must all hold; op is one of equals, at_least, at_most, between, one_of,
// contains. A taxonomy with an unknown field, operator or type is InvalidArgument with every problem (ErrorProblems).
GRYM_EXPORT std::string_view DefaultTaxonomyJson();

// Threads: any; calls that touch the memory take turns.
class GRYM_EXPORT PatternRecognizer {
 public:
  // `memory` is borrowed and must outlive the recogniser.
  static absl::StatusOr<std::unique_ptr<PatternRecognizer>> Create(PatternMemory* memory,
                                                                   const PatternRecognizerOptions& options = {});
  virtual ~PatternRecognizer() = default;
  // Wants features of every part but loudness; FailedPrecondition (code "missing_part") names one that was not heard.
  virtual absl::StatusOr<AudioPatterns> DetectPatterns(const AudioFeatures& features) = 0;
  // Stores them; the ids are written into `patterns`.
  virtual absl::Status LearnPatterns(AudioPatterns& patterns) = 0;
  // Patterns that belong with this one, best first, at most 20, and why.
  virtual absl::StatusOr<std::vector<RelatedPattern>> GetRelatedPatterns(const AudioPattern& pattern) = 0;
  virtual absl::StatusOr<PatternClassification> ClassifyPattern(const AudioPattern& pattern) = 0;
  // Same kind, cosine similarity >= threshold in [-1, 1], best first, at most `limit`.
  virtual absl::StatusOr<std::vector<PatternMatch>> FindSimilarPatterns(const AudioPattern& pattern,
                                                                        double threshold = 0.8, int limit = 20) = 0;
};

}  // namespace grym
