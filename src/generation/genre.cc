#include "generation/genre.h"

namespace grym {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kDrums: return "drums";
    case Role::kBass: return "bass";
    case Role::kChords: return "chords";
    case Role::kPad: return "pad";
    case Role::kArp: return "arp";
    case Role::kLead: return "lead";
    case Role::kEffects: return "effects";
  }
  return "";
}

const std::vector<const Genre*>& AllGenres() {
  static const std::vector<const Genre*> all = [] {
    std::vector<const Genre*> list;
    for (const auto* tables : {&DanceGenres(), &BeatGenres(), &BandGenres(), &AcousticGenres()}) {
      for (const Genre& genre : *tables) list.push_back(&genre);
    }
    return list;
  }();
  return all;
}

const Genre* FindGenre(std::string_view name) {
  for (const Genre* genre : AllGenres()) {
    if (name == genre->name) return genre;
    for (const char* word : genre->words) {
      if (name == word) return genre;
    }
  }
  return nullptr;
}

}  // namespace grym
