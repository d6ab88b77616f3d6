#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {

void FindStructural(const AudioFeatures& features, std::vector<AudioPattern>& found) {
  std::map<std::string, std::vector<const Section*>> by_letter;
  double total_s = 0;
  std::string form;
  for (const Section& section : features.sections) {
    if (!(section.end_s > section.start_s)) continue;
    by_letter[section.label].push_back(&section);
    total_s += section.end_s - section.start_s;
    form += section.label;
  }
  for (const auto& [letter, sections] : by_letter) {
    AudioPattern pattern;
    pattern.kind = PatternKind::kStructural;
    pattern.section_label = letter;
    pattern.tempo_bpm = features.tempo_bpm;
    pattern.meter = features.meter;
    pattern.key = features.key.value_or("");
    double covered_s = 0, confidence = 0;
    for (const Section* section : sections) {
      pattern.spans.push_back({section->start_s, section->end_s});
      covered_s += section->end_s - section->start_s;
      confidence += std::clamp(section->confidence, 0.0, 1.0) / static_cast<double>(sections.size());
    }
    const double coverage = covered_s / total_s;
    const auto returns = static_cast<double>(sections.size());
    pattern.strength =
        std::clamp((0.3 + 0.4 * coverage + 0.3 * (1 - 1 / returns)) * (0.5 + 0.5 * confidence), 0.0, 1.0);
    pattern.embedding = StructuralEmbedding(features, pattern.spans);
    pattern.description = Formatted("section %s, %s, %.0f s each, in the form %s", letter, Times(sections.size()),
                                          covered_s / returns, form);
    pattern.evidence = {{"occurrences", returns, "the section comes " + Times(sections.size())},
                        {"coverage", coverage, Formatted("it fills %.0f %% of the piece", 100 * coverage)},
                        {"section_confidence", confidence,
                         Formatted("its borders and likeness have confidence %.2f", confidence)}};
    found.push_back(std::move(pattern));
  }
}

}  // namespace grym
