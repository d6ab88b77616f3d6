// A taxonomy of patterns: classes with conditions, read from JSON.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/error.h"
#include "grymsynth/pattern_recognizer.h"

namespace grym {

// {"schema": "grymsynth.taxonomy/1", "version": "...", "classes": [{"path": "harmonic/loop/four-chord", "score": 0.8,
//   "when": [{"field": "distinct_chords", "op": "equals", "value": 4}]}, ...]}
// The path's first part is a kind's name. Fields: patterns/pattern_facts.h. Operators: equals (number or text),
// at_least and at_most (number), between ([low, high]), one_of (an array), contains (text within text). Immutable; any
// thread.
class Taxonomy {
 public:
  // InvalidArgument (code "bad_taxonomy") with every problem.
  static absl::StatusOr<Taxonomy> FromJson(std::string_view text);
  static absl::StatusOr<Taxonomy> FromFile(const std::filesystem::path& path);  // also NotFound
  static const Taxonomy& Default();

  // Every class of the pattern's kind whose conditions all hold, best score first (then by path); "<kind>/other" when
  // none does. The reason names the conditions with the pattern's own values.
  PatternClassification Classify(const AudioPattern& pattern) const;
  const std::string& version() const { return version_; }
  size_t size() const { return classes_.size(); }

 private:
  struct Condition {
    std::string field, op;
    Json value;
  };
  struct Class {
    std::string path;
    PatternKind kind = PatternKind::kRhythmic;
    double score = 0;
    std::vector<Condition> when;
  };
  static bool Holds(const Condition& condition, const AudioPattern& pattern);
  static void ReadClass(const Json& json, const std::string& pointer, std::vector<Class>& classes,
                        std::vector<Problem>& problems);
  static void ReadCondition(const Json& json, const std::string& pointer, std::vector<Condition>& when,
                            std::vector<Problem>& problems);

  std::string version_;
  std::vector<Class> classes_;
};

}  // namespace grym
