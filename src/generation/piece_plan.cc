#include "generation/piece_plan.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/number_text.h"
#include "base/random.h"
#include "base/status.h"
#include "generation/material.h"
#include "generation/orchestra.h"
#include "generation/prompt_reader.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {

constexpr double kShortestPieceS = 0.001;  // below it there is not one period of anything
constexpr double kMostTemperature = 2;
constexpr double kChordsFromStrength = 0.25;  // of a reference MIDI file

// What the last chord needs to ring: an eighth of the piece, between 0.35 and 2.2 seconds.
double ShortestTail(double duration_s) { return std::clamp(0.125 * duration_s, std::min(0.35, 0.5 * duration_s), 2.2); }

absl::Status Unknown(const GenerateAudioRequest& request, const std::string& field, const std::string& value,
                     const std::string& known, PiecePlan* plan) {
  const std::string text = "composer: " + field + ": want " + known + ", got \"" + Printable(value, 80) + "\"";
  if (!request.allow_unsupported) return Error(absl::StatusCode::kInvalidArgument, "unsupported_field", text);
  plan->warnings.push_back(text);
  return absl::OkStatus();
}

const Genre& GenreForMood(const PromptWish& wish, const Material& material, Random& random) {
  const double tempo = wish.tempo_bpm.value_or(material.tempo_bpm);
  std::vector<const char*> fitting;
  if (wish.meter == 3 || material.meter == 3) fitting = {"waltz"};
  else if (wish.mood.energy < -0.4) fitting = {"ambient", "lo-fi", "classical"};
  else if (wish.mood.energy > 0.6) fitting = {"house", "rock", "techno", "synthwave"};
  else if (tempo >= 160) fitting = {"drum and bass"};
  else if (tempo > 0 && tempo < 86) fitting = {"lo-fi", "reggae"};
  else fitting = {"pop", "synthwave", "house", "funk"};
  return *FindGenre(fitting[static_cast<size_t>(random.Below(static_cast<int64_t>(fitting.size())))]);
}

absl::Status ChooseGenre(const GenerateAudioRequest& request, const PromptWish& wish, PiecePlan* plan) {
  Random random(plan->seed, "genre");
  const auto given = request.parameters.find("genre");
  const Genre* genre = given != request.parameters.end() ? FindGenre(given->second) : nullptr;
  const PromptWish unwanted = ReadPrompt(request.negative_prompt);
  const auto allowed = [&](const Genre* g) {
    return std::find(unwanted.genres.begin(), unwanted.genres.end(), g) == unwanted.genres.end();
  };
  for (const Genre* named : wish.genres) {
    if (!genre && allowed(named)) genre = named;
  }
  if (!genre) {
    genre = &GenreForMood(wish, plan->material, random);
    for (int tries = 0; tries < 16 && !allowed(genre); ++tries) {
      genre = AllGenres()[static_cast<size_t>(random.Below(std::ssize(AllGenres())))];
    }
  }
  plan->genre = *genre;
  return absl::OkStatus();
}

// A MIDI file as far as its strength says (see composer.h), or else the patterns.
absl::Status TakeMaterial(const GenerateAudioRequest& request, PiecePlan* plan) {
  if (request.reference_midi.empty()) {
    plan->material = MaterialFromPatterns(request.patterns);
    return absl::OkStatus();
  }
  GRYM_ASSIGN_OR_RETURN(const Midi midi, LoadMidi(request.reference_midi));
  Material material = MaterialFromMidi(midi);
  if (material.chords.empty()) plan->warnings.push_back("composer: reference_midi: no pitched notes in it");
  if (request.reference_strength <= 0) return absl::OkStatus();
  if (request.reference_strength < kChordsFromStrength) material.chords.clear();
  material.quoted_share = request.reference_strength;
  plan->material = std::move(material);
  return absl::OkStatus();
}

absl::Status ChooseMood(const GenerateAudioRequest& request, PromptWish* wish, PiecePlan* plan) {
  if (!request.mood.empty() && ReadMood(request.mood, &wish->mood) == 0) {
    GRYM_RETURN_IF_ERROR(Unknown(request, "mood", request.mood, "words such as calm, dark, happy, energetic", plan));
  }
  MoodWish unwanted;
  ReadMood(request.negative_prompt, &unwanted);
  const double energy = wish->mood.energy - unwanted.energy;
  plan->energy_shift = std::clamp(0.16 * energy, -0.3, 0.25);
  plan->cutoff = std::clamp(std::exp2(wish->mood.cutoff - unwanted.cutoff), 0.4, 2.0);
  wish->mood.energy = energy;
  wish->mood.valence -= unwanted.valence;
  if (wish->tempo_pull == 0) wish->tempo_pull = std::clamp(0.7 * energy, -1.0, 1.0);
  return absl::OkStatus();
}

void ChooseKey(const GenerateAudioRequest& request, const PromptWish& wish, PiecePlan* plan) {
  Random random(plan->seed, std::string("key ") + plan->genre.name);
  const int tonic = static_cast<int>(random.Below(12));
  double chance = plan->genre.minor_chance;
  if (wish.mood.valence > 0.4) chance *= 0.25;
  if (wish.mood.valence < -0.4) chance = 1 - 0.25 * (1 - chance);
  plan->key = {tonic, random.Chance(chance)};
  if (wish.minor) plan->key.minor = *wish.minor;
  if (plan->material.has_key) plan->key = plan->material.key;
  if (wish.key) plan->key = *wish.key;
  if (request.key) {
    if (const auto key = ParseKey(*request.key); key.ok()) plan->key = {*key % 12, *key >= 12};
  }
}

// A whole number of beats a minute near the one drawn for which the last bar line leaves the ring that it needs.
void ChooseTempo(const GenerateAudioRequest& request, const PromptWish& wish, PiecePlan* plan) {
  Random random(plan->seed, "tempo");
  const Genre& genre = plan->genre;
  const double middle = 0.5 * (genre.tempo_low + genre.tempo_high), half = 0.5 * (genre.tempo_high - genre.tempo_low);
  const double drawn =
      middle + half * (wish.tempo_pull != 0 ? wish.tempo_pull * random.Uniform(0.5, 1) : random.Uniform(-1, 1));
  if (request.tempo_bpm || wish.tempo_bpm || plan->material.tempo_bpm > 0) {
    plan->tempo_bpm = request.tempo_bpm ? *request.tempo_bpm
                      : wish.tempo_bpm  ? *wish.tempo_bpm
                                        : plan->material.tempo_bpm;
    return;
  }
  const double tail = ShortestTail(plan->duration_s);
  double best = 1e9;
  for (int offset = -4; offset <= 4; ++offset) {
    const double tempo =
        std::clamp(std::round(drawn) + offset, std::round(genre.tempo_low), std::round(genre.tempo_high));
    const double bar_s = 60 / tempo * plan->meter;
    const double ring = plan->duration_s - std::floor((plan->duration_s - tail) / bar_s) * bar_s;
    const double cost = std::abs(ring - tail - 0.3) + 0.05 * std::abs(offset);
    if (cost < best) {
      best = cost;
      plan->tempo_bpm = tempo;
    }
  }
}

absl::Status ChooseStructure(const GenerateAudioRequest& request, const PromptWish& wish, PiecePlan* plan) {
  const double bar_s = plan->beat_s() * plan->meter, tail = ShortestTail(plan->duration_s);
  const double room_s = plan->duration_s - tail;
  plan->bars = std::max(1, static_cast<int>(std::floor(room_s / bar_s + 1e-9)));
  plan->body_beats = plan->bars * plan->meter;
  if (room_s < bar_s) plan->body_beats = std::floor(std::max(0.0, room_s) / plan->beat_s() + 1e-9);
  Random random(plan->seed, "form");
  plan->names = ChooseForm(plan->genre, plan->bars, random);
  if (!request.structure.empty()) {
    auto names = ReadStructure(request.structure);
    if (!names.ok()) {
      if (!request.allow_unsupported) return names.status();
      plan->warnings.emplace_back(names.status().message());
    } else if (!names->empty()) {
      plan->names = *names;
    }
  } else if (!wish.sections.empty() && static_cast<int>(wish.sections.size()) <= plan->bars) {
    plan->names = wish.sections;
  }
  if (static_cast<int>(plan->names.size()) > plan->bars) {
    const std::string text = "composer: structure: " + std::to_string(plan->names.size()) +
                             " sections need as many bars, " + std::to_string(plan->bars) + " fit in the duration";
    if (!request.allow_unsupported) return Error(absl::StatusCode::kInvalidArgument, "unsupported_field", text);
    plan->warnings.push_back(text);
    plan->names.resize(static_cast<size_t>(plan->bars));
  }
  const auto energy = request.parameters.find("energy");
  if (energy != request.parameters.end()) plan->energy_shift += 0.6 * (ParseNumber(energy->second).value_or(0.5) - 0.5);
  plan->form = LayOutForm(plan->names, plan->bars, plan->genre.phrase_bars, plan->energy_shift);
  return absl::OkStatus();
}

absl::Status ChooseOrchestra(const GenerateAudioRequest& request, const PromptWish& wish, PiecePlan* plan) {
  std::vector<const Instrument*> wanted;
  for (const std::string& name : request.instruments) {
    std::string word = PlainWords(name);
    word = word.size() > 2 ? word.substr(1, word.size() - 2) : "";
    if (const Instrument* instrument = FindInstrument(word)) wanted.push_back(instrument);
    else
      GRYM_RETURN_IF_ERROR(Unknown(request, "instruments", name,
                                   "instruments such as piano, guitar, strings, bass, drums, flute", plan));
  }
  if (!wanted.empty()) AddInstruments(wanted, true, &plan->genre);
  else AddInstruments(wish.instruments, wish.solo, &plan->genre);
  RemoveInstruments(wish.without, &plan->genre);
  const std::vector<const Instrument*> unwanted = ReadInstruments(request.negative_prompt);
  RemoveInstruments(unwanted, &plan->genre);
  if (!request.negative_prompt.empty()) {
    MoodWish mood;
    const bool known = !unwanted.empty() || ReadMood(request.negative_prompt, &mood) > 0 ||
                       !ReadPrompt(request.negative_prompt).genres.empty();
    if (!known)
      plan->warnings.push_back(
          "composer: negative_prompt: it names no instrument, part, mood or genre that the composer knows");
  }
  if (plan->genre.parts.empty() && std::string_view(plan->genre.kit).empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "unsupported_field",
                 "composer: negative_prompt: it leaves no instrument to play");
  }
  return absl::OkStatus();
}

// No section is empty: the part that enters first plays throughout.
void LetOnePartPlay(Genre* genre) {
  PartTable* first = nullptr;
  for (PartTable& part : genre->parts) {
    if (!first || part.enters < first->enters) first = &part;
  }
  if (first && first->enters > 0) first->enters = 0;
}

}  // namespace

absl::StatusOr<PiecePlan> PlanPiece(const GenerateAudioRequest& request) {
  PiecePlan plan;
  if (request.duration_s < kShortestPieceS) {
    return Error(
        absl::StatusCode::kInvalidArgument, "unsupported_field",
        Formatted("composer: duration_s: want %g seconds or more, got %g", kShortestPieceS, request.duration_s));
  }
  plan.seed = static_cast<uint64_t>(request.seed);
  plan.duration_s = request.duration_s;
  plan.adventure = request.temperature.value_or(1.0);
  if (plan.adventure > kMostTemperature) {
    GRYM_RETURN_IF_ERROR(Unknown(request, "temperature", Formatted("%g", plan.adventure), "at most 2", &plan));
    plan.adventure = kMostTemperature;
  }
  const auto number = [&](const char* name, double fallback) {
    const auto found = request.parameters.find(name);
    return found == request.parameters.end() ? fallback : ParseNumber(found->second).value_or(fallback);
  };
  plan.humanise = number("humanise", 1.0);
  PromptWish wish = ReadPrompt(request.prompt);
  GRYM_RETURN_IF_ERROR(TakeMaterial(request, &plan));
  GRYM_RETURN_IF_ERROR(ChooseMood(request, &wish, &plan));
  GRYM_RETURN_IF_ERROR(ChooseGenre(request, wish, &plan));
  plan.genre.swing = number("swing", plan.genre.swing);
  plan.meter = request.meter         ? *request.meter
               : wish.meter          ? *wish.meter
               : plan.material.meter ? plan.material.meter
                                     : plan.genre.meter;
  ChooseKey(request, wish, &plan);
  TransposeMaterial(plan.key, &plan.material);
  ChooseTempo(request, wish, &plan);
  GRYM_RETURN_IF_ERROR(ChooseStructure(request, wish, &plan));
  GRYM_RETURN_IF_ERROR(ChooseOrchestra(request, wish, &plan));
  LetOnePartPlay(&plan.genre);
  return plan;
}

}  // namespace grym
