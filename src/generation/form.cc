#include "generation/form.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/status.h"

namespace grym {
namespace {

struct SectionKind {
  const char* name;
  const char* letter;
  double energy;
  double weight;  // of its length
};

constexpr SectionKind kSectionKinds[] = {
    {"intro", "I", 0.42, 0.5},     {"verse", "A", 0.62, 1},        {"prechorus", "P", 0.7, 0.5},
    {"pre-chorus", "P", 0.7, 0.5}, {"chorus", "B", 0.92, 1},       {"hook", "B", 0.92, 1},
    {"refrain", "B", 0.88, 1},     {"bridge", "C", 0.6, 1},        {"solo", "S", 0.85, 1},
    {"build", "U", 0.65, 0.6},     {"buildup", "U", 0.65, 0.6},    {"drop", "D", 1.0, 1.5},
    {"break", "K", 0.38, 0.75},    {"breakdown", "K", 0.35, 0.75}, {"outro", "O", 0.5, 0.5},
    {"coda", "O", 0.5, 0.5},       {"ending", "O", 0.5, 0.5},      {"head", "A", 0.7, 1},
    {"theme", "A", 0.65, 1},       {"development", "C", 0.75, 1},  {"interlude", "K", 0.45, 0.75},
    {"groove", "A", 0.8, 1}};

const SectionKind* KindOf(std::string_view name) {
  for (const SectionKind& kind : kSectionKinds) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

double LetterEnergy(char letter) {
  static constexpr double kEnergies[] = {0.65, 0.88, 0.72, 0.5};
  return kEnergies[(letter - 'A') % 4];
}

// One row per number of phrases that fit, from one.
const std::vector<std::vector<const char*>>& FormRows(FormFamily family) {
  static const std::vector<std::vector<const char*>> song = {
      {"chorus"}, {"verse", "chorus"}, {"intro", "verse", "chorus"}, {"intro", "verse", "chorus", "outro"},
      {"intro", "verse", "chorus", "verse", "chorus"}, {"intro", "verse", "chorus", "verse", "chorus", "outro"},
      {"intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus"},
      {"intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro"}};
  static const std::vector<std::vector<const char*>> dance = {
      {"drop"}, {"build", "drop"}, {"intro", "build", "drop"}, {"intro", "build", "drop", "outro"},
      {"intro", "build", "drop", "break", "drop"}, {"intro", "build", "drop", "break", "drop", "outro"},
      {"intro", "groove", "build", "drop", "break", "drop", "outro"},
      {"intro", "groove", "build", "drop", "break", "build", "drop", "outro"}};
  static const std::vector<std::vector<const char*>> head = {
      {"head"}, {"head", "solo"}, {"head", "solo", "head"}, {"head", "solo", "solo", "head"},
      {"head", "head", "solo", "solo", "head"}, {"intro", "head", "head", "solo", "solo", "head"},
      {"intro", "head", "head", "bridge", "solo", "solo", "head"},
      {"intro", "head", "head", "bridge", "solo", "solo", "bridge", "head"}};
  static const std::vector<std::vector<const char*>> flow = {
      {"A"}, {"A", "B"}, {"A", "B", "A"}, {"A", "B", "A", "C"}, {"A", "B", "A", "C", "A"},
      {"A", "A", "B", "A", "C", "A"}, {"A", "A", "B", "B", "A", "C", "A"}, {"A", "A", "B", "B", "C", "B", "A", "A"}};
  switch (family) {
    case FormFamily::kSong: return song;
    case FormFamily::kDance: return dance;
    case FormFamily::kHead: return head;
    case FormFamily::kFlow: return flow;
  }
  return song;
}

// Bars per section in whole units, by largest remainder; every section gets at least one unit.
std::vector<int> ShareUnits(const std::vector<double>& weights, int units) {
  double total = 0;
  for (const double weight : weights) total += weight;
  const int spare = units - static_cast<int>(weights.size());
  std::vector<int> shares(weights.size(), 1);
  std::vector<std::pair<double, size_t>> remainders;
  int given = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double ideal = std::max(0.0, units * weights[i] / total - 1);
    const int whole = std::min(static_cast<int>(ideal), spare - given);
    shares[i] += whole;
    given += whole;
    remainders.push_back({-(ideal - whole), i});
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < spare; i = (i + 1) % remainders.size(), ++given) ++shares[remainders[i].second];
  return shares;
}

}  // namespace

bool IsSectionName(std::string_view word) {
  return KindOf(word) || (word.size() == 1 && std::isalpha(static_cast<unsigned char>(word[0])));
}

absl::StatusOr<std::vector<std::string>> ReadStructure(std::string_view structure) {
  std::vector<std::string> words(1);
  for (const char c : structure) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (std::isspace(u) || c == ',' || c == '>' || c == '|' || c == ';') {
      if (!words.back().empty()) words.emplace_back();
    } else if (!(std::isdigit(u) || c == '\'')) {  // "verse1", "A'": a variation is made anyway
      words.back() += c;
    }
  }
  if (words.back().empty()) words.pop_back();
  std::vector<std::string> names;
  for (const std::string& word : words) {
    std::string lower = word;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool letters = std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'H'; });
    if (KindOf(lower)) {
      names.push_back(lower);
    } else if (letters || (word.size() == 1 && lower[0] >= 'a' && lower[0] <= 'h')) {
      for (const char c : word) names.emplace_back(1, static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
    } else if (word != "-") {
      return Error(absl::StatusCode::kInvalidArgument, "unsupported_field",
                   "composer: structure: want letters A to H or names such as intro, verse, chorus, got \"" +
                       Printable(word, 60) + "\"");
    }
  }
  return names;
}

std::vector<std::string> ChooseForm(const Genre& genre, int bars, Random& random) {
  const auto& rows = FormRows(genre.form);
  // At least four bars a section, a whole phrase where there is room, so that something can happen in each.
  const int wanted = bars >= 6 * genre.phrase_bars ? genre.phrase_bars : std::max(4, genre.phrase_bars / 2);
  const int phrases = std::max(1, bars / wanted);
  size_t row = static_cast<size_t>(std::min(phrases, static_cast<int>(rows.size()))) - 1;
  if (row >= 4 && random.Chance(0.35)) --row;
  std::vector<std::string> names(rows[row].begin(), rows[row].end());
  // A long piece goes round again, without its last section, until sections are no longer than 24 bars or so.
  const std::vector<std::string> round = names;
  while (bars / static_cast<int>(names.size()) > 24 && round.size() > 2) {
    names.insert(names.end() - 1, round.begin() + 1, round.end() - 1);
  }
  return names;
}

std::vector<FormSection> LayOutForm(const std::vector<std::string>& names, int bars, int phrase_bars,
                                    double energy_shift) {
  const int count = static_cast<int>(names.size());
  int unit = phrase_bars;
  while (unit > 1 && bars / unit < count) unit = unit > 4 ? 4 : unit / 2;
  std::vector<double> weights;
  for (const std::string& name : names) {
    const SectionKind* kind = KindOf(name);
    weights.push_back(kind ? kind->weight : 1.0);
  }
  std::vector<int> shares = ShareUnits(weights, std::max(count, bars / unit));
  std::vector<FormSection> form;
  int at = 0;
  for (int i = 0; i < count; ++i) {
    FormSection section;
    const SectionKind* kind = KindOf(names[static_cast<size_t>(i)]);
    section.name = names[static_cast<size_t>(i)];
    section.letter = kind ? kind->letter : section.name;
    section.first_bar = at;
    section.bars = i + 1 == count ? bars - at : shares[static_cast<size_t>(i)] * unit;
    const double base = kind ? kind->energy : LetterEnergy(section.name[0]);
    for (const FormSection& before : form) section.visit += before.letter == section.letter;
    // Each return is a little fuller than the visit before it.
    section.energy = std::clamp(base + energy_shift + 0.04 * std::min(section.visit, 3), 0.05, 1.0);
    if (count == 1) section.energy = std::max(section.energy, std::clamp(0.8 + energy_shift, 0.05, 1.0));
    at += section.bars;
    form.push_back(section);
  }
  return form;
}

}  // namespace grym
