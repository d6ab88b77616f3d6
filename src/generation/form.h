// The form of a piece: which sections, how many bars each, and how much energy.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "generation/genre.h"

namespace grym {

struct FormSection {
  std::string name;    // "verse", "A"
  std::string letter;  // sections of equal letter share chords and motif
  int first_bar = 0;
  int bars = 0;
  double energy = 0.5;  // [0, 1]
  int visit = 0;        // how many of this letter came before
};

// "intro", "verse", "drop", ... or a single letter.
bool IsSectionName(std::string_view word);
// "ABAB", "A B A", "intro verse chorus" as names. InvalidArgument (code "unsupported_field") names a word that is none.
absl::StatusOr<std::vector<std::string>> ReadStructure(std::string_view structure);
// Names for a piece of `bars` bars in the genre's manner.
std::vector<std::string> ChooseForm(const Genre& genre, int bars, Random& random);
// Shares `bars` (at least one per name) out in whole phrases where they fit; what is left over lengthens the last.
std::vector<FormSection> LayOutForm(const std::vector<std::string>& names, int bars, int phrase_bars,
                                    double energy_shift);

}  // namespace grym
