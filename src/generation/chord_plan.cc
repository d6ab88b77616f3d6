// Which chord sounds when: a progression per section letter, a cadence before the last chord.
#include <algorithm>

#include "base/random.h"
#include "generation/piece_plan.h"

namespace grym {
namespace {

std::vector<std::string> SplitAt(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

ChordTones RomanOrTonic(const std::string& roman, const MusicalKey& key) {
  auto chord = ChordFromRoman(roman, key);
  if (!chord.ok()) chord = ChordFromRoman(key.minor ? "i" : "I", key);
  return *chord;
}

// The bars of a letter's progression; intro, outro and break use the first letter's.
std::vector<std::string> ProgressionOf(const PiecePlan& plan, const std::string& letter) {
  const auto& choices = plan.key.minor ? plan.genre.minor : plan.genre.major;
  const int count = static_cast<int>(choices.size());
  Random random(plan.seed, "harmony");
  const int home = static_cast<int>(random.Below(count));
  int index = home;
  // A contrasting letter has a progression of its own; verse and drop keep home.
  if (letter == "B" || letter == "C" || letter == "S") index = (home + (letter == "C" ? 2 : 1)) % count;
  if (plan.genre.form == FormFamily::kHead && letter == "S") index = home;  // solos are over the head's changes
  if (plan.genre.form == FormFamily::kDance) index = home;
  return SplitAt(choices[static_cast<size_t>(index)], ' ');
}

// Colour for the daring: a ninth on a plain triad, a suspended dominant.
std::string Coloured(const std::string& roman, const PiecePlan& plan, Random& random) {
  if (plan.adventure <= 1 || !random.Chance(0.25 * (plan.adventure - 1))) return roman;
  if (roman == "I" || roman == "IV" || roman == "VI" || roman == "III") return roman + "add9";
  if (roman == "i" || roman == "iv" || roman == "vi" || roman == "ii") return roman + "7";
  if (roman == "V" || roman == "V7") return "V7sus4";
  return roman;
}

}  // namespace

ChordTrack LayOutChords(const PiecePlan& plan) {
  ChordTrack track;
  Random random(plan.seed, "chord colours");
  const double end = plan.body_beats;
  for (const FormSection& section : plan.form) {
    const double section_end = std::min<double>((section.first_bar + section.bars) * plan.meter, end);
    const bool last_section = &section == &plan.form.back();
    if (!plan.material.chords.empty()) {
      for (size_t i = 0; track.end_beat() < section_end - 1e-9; i = (i + 1) % plan.material.chords.size()) {
        track.Append(std::min(plan.material.chord_beats, section_end - track.end_beat()), plan.material.chords[i]);
      }
      continue;
    }
    const std::vector<std::string> progression = ProgressionOf(plan, section.letter);
    for (int bar = 0; bar < section.bars && track.end_beat() < section_end - 1e-9; ++bar) {
      std::string roman = progression[static_cast<size_t>(bar) % progression.size()];
      const bool cadence = last_section && bar + 1 == section.bars && section.bars >= 2 && *plan.genre.cadence;
      if (cadence) roman = plan.genre.cadence;
      const std::vector<std::string> halves = SplitAt(roman, '_');
      for (size_t i = 0; i < halves.size(); ++i) {
        const double beats = halves.size() == 1 ? plan.meter : i == 0 ? 2 : plan.meter - 2;
        track.Append(std::min(beats, section_end - track.end_beat()),
                     RomanOrTonic(Coloured(halves[i], plan, random), plan.key));
      }
    }
  }
  // The last chord: home, with the colour that the genre's home chord has.
  const std::string tonic = SplitAt((plan.key.minor ? plan.genre.minor : plan.genre.major)[0], ' ')[0];
  const std::string plain = plan.key.minor ? "i" : "I";
  const bool home = tonic.starts_with(plan.key.minor ? "i" : "I") && !tonic.starts_with("ii") &&
                    !tonic.starts_with("iv") && !tonic.starts_with("IV") && tonic != "I7";
  track.Append(plan.meter, RomanOrTonic(home ? tonic : plain, plan.key));
  return track;
}

}  // namespace grym
