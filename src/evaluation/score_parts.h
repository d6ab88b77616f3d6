// Measures turned into scores: one part of the comparison each.
#pragma once
#include <vector>

#include "evaluation/likeness.h"
#include "evaluation/take_measures.h"
#include "grymsynth/evaluation.h"

namespace grym {

struct JudgedPart {
  ScorePart part;
  std::vector<TimeSpan> spans;  // where it is worst; empty means throughout
};

// In the order of kImprovementAreas, then "identity".
std::vector<JudgedPart> JudgeTake(const TakeMeasures& original, const TakeMeasures& result, const Likeness& likeness);

// The product of score^weight: a part near 0 pulls the whole down, whatever the others say.
double CombineParts(const std::vector<JudgedPart>& parts);

}  // namespace grym
