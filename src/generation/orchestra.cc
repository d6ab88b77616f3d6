#include "generation/orchestra.h"

#include <algorithm>
#include <string>

namespace grym {
namespace {

bool IsPatch(const char* patch, const Instrument& instrument) {
  const std::string name = patch, wanted = instrument.patch;
  if (std::string_view(instrument.word) == "guitar") return name.starts_with("guitar");
  if (std::string_view(instrument.word) == "synth") return name.starts_with("lead_") || name == "supersaw";
  return !wanted.empty() && name == wanted;
}

bool PlaysIt(const PartTable& part, const Instrument& instrument) {
  if (std::string_view(instrument.patch).empty()) return part.role == instrument.role;
  return std::any_of(part.patches.begin(), part.patches.end(),
                     [&](const char* patch) { return IsPatch(patch, instrument); });
}

PartTable NewPart(Role role) {
  PartTable part;
  part.role = role;
  switch (role) {
    case Role::kBass:
      part.stem = "bass", part.figures = {"R---R---R---R---", "R-----R-R---L---"};
      part.low = 30, part.high = 48, part.reverb_db = -60;
      break;
    case Role::kChords:
      part.figures = {"x---x---x---x---", "x-----x-x-------"};
      part.low = 52, part.high = 76, part.gain_db = -4, part.pan = -0.15;
      break;
    case Role::kPad:
      part.stem = "pad", part.figures = {"~"}, part.low = 52, part.high = 76, part.gain_db = -9, part.reverb_db = -12;
      break;
    case Role::kArp:
      part.stem = "arp", part.figures = {"0-1-2-3-2-1-2-1-", "0-2-1-2-3-2-1-2-"};
      part.low = 60, part.high = 82, part.gain_db = -7, part.pan = 0.25, part.reverb_db = -14;
      break;
    default:
      part.role = Role::kLead, part.stem = "lead";
      part.figures = {"x---x-x-x---x---", "x-x-x---x-x-----", "x---x---x-x-x---"};
      part.low = 62, part.high = 84, part.gain_db = -3, part.pan = 0.1, part.reverb_db = -14;
      break;
  }
  return part;
}

// A part for one instrument: the genre's own of that role when it is still free.
void Place(const Instrument& instrument, std::vector<bool>* taken, Genre* genre) {
  const auto claim = [&](auto&& fits) -> PartTable* {
    for (size_t i = 0; i < genre->parts.size(); ++i) {
      if ((*taken)[i] || !fits(genre->parts[i])) continue;
      (*taken)[i] = true;
      return &genre->parts[i];
    }
    return nullptr;
  };
  PartTable* part = claim([&](const PartTable& p) { return PlaysIt(p, instrument); });
  if (!part) part = claim([&](const PartTable& p) { return p.role == instrument.role; });
  if (!part) {
    genre->parts.push_back(NewPart(instrument.role));
    taken->push_back(true);
    part = &genre->parts.back();
    if (std::string_view(instrument.patch).empty()) {
      part->patches = {instrument.role == Role::kBass   ? "bass_finger"
                       : instrument.role == Role::kPad  ? "pad_warm"
                       : instrument.role == Role::kArp  ? "pluck"
                       : instrument.role == Role::kLead ? "lead_soft"
                                                        : "piano"};
    }
  }
  if (!std::string_view(instrument.patch).empty()) part->patches = {instrument.patch};
  part->enters = std::min(part->enters, 0.3);
}

}  // namespace

void AddInstruments(const std::vector<const Instrument*>& wanted, bool only, Genre* genre) {
  if (wanted.empty()) return;
  std::vector<bool> taken(genre->parts.size(), false);
  bool drums = false;
  for (const Instrument* instrument : wanted) {
    if (instrument->role == Role::kDrums) {
      drums = true;
      if (!std::string_view(instrument->patch).empty()) genre->kit = instrument->patch;
      if (std::string_view(genre->kit).empty()) genre->kit = "kit_acoustic";
      if (genre->grooves.empty()) {
        genre->grooves = {{0.0, {{42, "x...x...x...x..."}}},
                          {0.4, {{36, "X.......X......."}, {38, "....x.......x..."}, {42, "x.x.x.x.x.x.x.x."}}}};
      }
    } else if (instrument->role == Role::kEffects) {
      genre->vinyl |= std::string_view(instrument->patch) == "vinyl";
      genre->risers |= std::string_view(instrument->patch) != "vinyl";
    } else {
      Place(*instrument, &taken, genre);
    }
  }
  if (!only) return;
  if (!drums) genre->kit = "";
  genre->risers = genre->vinyl = false;
  std::vector<PartTable> kept;
  for (size_t i = 0; i < genre->parts.size(); ++i) {
    if (taken[i]) kept.push_back(genre->parts[i]);
  }
  if (kept.size() == 1 && !drums && kept[0].role != Role::kBass && kept[0].role != Role::kLead) {
    PartTable melody = NewPart(Role::kLead);
    melody.patches = kept[0].patches;
    melody.enters = 0;
    kept[0].enters = 0;
    kept.push_back(melody);
  }
  genre->parts = kept;
  for (PartTable& part : genre->parts) part.enters = std::min(part.enters, 0.3);
}

void RemoveInstruments(const std::vector<const Instrument*>& unwanted, Genre* genre) {
  for (const Instrument* instrument : unwanted) {
    if (instrument->role == Role::kDrums) {
      const std::string_view patch = instrument->patch;
      if (patch.empty()) genre->kit = "";
      else if (patch == genre->kit) genre->kit = "kit_acoustic";
      continue;
    }
    if (instrument->role == Role::kEffects) {
      if (std::string_view(instrument->patch) == "vinyl") genre->vinyl = false;
      else genre->risers = false;
      continue;
    }
    for (PartTable& part : genre->parts) {
      if (std::string_view(instrument->patch).empty()) {
        if (part.role == instrument->role) part.patches.clear();
      } else {
        std::erase_if(part.patches, [&](const char* patch) { return IsPatch(patch, *instrument); });
      }
    }
    std::erase_if(genre->parts, [](const PartTable& part) { return part.patches.empty(); });
  }
}

}  // namespace grym
