// What a sentence asks of the composer: genre, tempo, key, moods, instruments, form, and what must not be there.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "generation/genre.h"
#include "generation/harmony.h"
#include "generation/instruments.h"

namespace grym {

// Moods as two numbers: how lively (energy) and how bright (valence), each added up over the words, about [-1, 1].
struct MoodWish {
  double energy = 0;
  double valence = 0;
  double cutoff = 0;   // octaves of brightness
  int words = 0;
};

struct PromptWish {
  std::vector<const Genre*> genres;      // the first rules: "funky house" is house before funk
  std::optional<double> tempo_bpm;       // "120 bpm", "at 98"
  double tempo_pull = 0;                 // "slow" -1 .. "fast" +1
  std::optional<MusicalKey> key;
  std::optional<bool> minor;             // "in a minor key"
  std::optional<int> meter;
  MoodWish mood;
  std::vector<const Instrument*> instruments;
  bool solo = false;                     // "solo piano": only what is named
  std::vector<const Instrument*> without;
  std::vector<std::string> sections;     // "intro", "verse", ... when at least two are named
};

// Lower case; letters, digits, '#', '&', '/' and '-' between single spaces, one space at both ends.
std::string PlainWords(std::string_view text);
PromptWish ReadPrompt(std::string_view prompt);
// Adds the words of `text` to `mood`; returns how many were known.
int ReadMood(std::string_view text, MoodWish* mood);
// The instruments and parts named in `text`.
std::vector<const Instrument*> ReadInstruments(std::string_view text);

}  // namespace grym
