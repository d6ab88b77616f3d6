// The recogniser: where a pattern belongs, and what the memory knows beside it.
#include "call.h"
#include "json_text.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

// Asks `ask(recognizer, pattern)` about one pattern of a list.
template <class Handle, class Ask>
grym_status AskAbout(grym_engine* engine, const grym_patterns* patterns, size_t index, Handle** out, Ask ask) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto list, Find(patterns, "patterns"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, list->patterns.size(), "index"));
    GRYM_C_ASSIGN_OR_RETURN(auto answer, ask(found->recognizer(), list->patterns[index]));
    *out = NewHandleOf<Handle>(std::move(answer));
    return absl::OkStatus();
  });
}

}  // namespace

grym_status grym_engine_classify_pattern(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                         grym_text** out) {
  return AskAbout(engine, patterns, index, out,
                  [](grym::PatternRecognizer& recognizer, const grym::AudioPattern& pattern)
                      -> absl::StatusOr<std::string> {
    GRYM_C_ASSIGN_OR_RETURN(const grym::PatternClassification found, recognizer.ClassifyPattern(pattern));
    JsonText json;
    json.Begin('{').Key("classes").Begin('[');
    for (const grym::PatternClass& one : found.classes) {
      json.Begin('{').Key("path").Text(one.path).Key("score").Number(one.score).Key("reason").Text(one.reason).End('}');
    }
    return json.End(']').Key("taxonomy_version").Text(found.taxonomy_version).End('}').Take();
  });
}

grym_status grym_default_taxonomy_json(grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    return TextInto(std::string(grym::DefaultTaxonomyJson()), out);
  });
}

grym_status grym_engine_related_patterns(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                         grym_matches** out) {
  return AskAbout(engine, patterns, index, out,
                  [](grym::PatternRecognizer& recognizer, const grym::AudioPattern& pattern) {
                    return recognizer.GetRelatedPatterns(pattern);
                  });
}

grym_status grym_engine_similar_patterns(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                         double threshold, int32_t limit, grym_matches** out) {
  return AskAbout(engine, patterns, index, out,
                  [&](grym::PatternRecognizer& recognizer, const grym::AudioPattern& pattern)
                      -> absl::StatusOr<std::vector<grym::RelatedPattern>> {
    GRYM_C_ASSIGN_OR_RETURN(std::vector<grym::PatternMatch> found,
                            recognizer.FindSimilarPatterns(pattern, threshold, limit));
    return Unrelated(std::move(found));
  });
}
