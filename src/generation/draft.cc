#include "generation/draft.h"

#include <algorithm>
#include <cstring>

namespace grym {

const FormSection& PiecePlan::SectionAt(double beat) const {
  const int bar = static_cast<int>(std::max(0.0, beat + 1e-9) / meter);
  for (const FormSection& section : form) {
    if (bar < section.first_bar + section.bars) return section;
  }
  return form.back();
}

char FigureStep(const char* figure, int bar, int step, int steps_per_bar) {
  const int length = static_cast<int>(std::strlen(figure));
  if (length == 0) return '.';
  // Figures are written in bars of 16, or of 12 when their length is no multiple of 16.
  const int written = length % 16 == 0 ? 16 : std::min(length, 12);
  const int bars = std::max(1, length / written);
  const int at = written >= steps_per_bar ? step : step % written;
  return figure[(bar % bars) * written + at];
}

int FigureHold(const char* figure, int bar, int step, int steps_per_bar) {
  int hold = 1;
  while (step + hold < steps_per_bar && FigureStep(figure, bar, step + hold, steps_per_bar) == '-') ++hold;
  return hold;
}

}  // namespace grym
