// What CLAP is asked about a recording: a sentence for each label of the style vocabulary.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace grym {

struct StylePrompt {
  const char* label;   // as the built-in rules name it
  const char* prompt;  // what captions of such recordings say
};

// The groups of "grymsynth.style/1".
std::span<const StylePrompt> GenrePrompts();
std::span<const StylePrompt> MoodPrompts();
std::span<const StylePrompt> TexturePrompts();

struct StyleScores {
  std::vector<double> genres, moods, textures;  // in the prompts' order, each group's sum is 1; all 0 for silence
};
// JSON text in the schema "grymsynth.style/1", labels best first, method "clap". "unsure" where the best genre has less
// than a quarter more than the second, and for silence.
std::string StyleScoresToJson(const StyleScores& scores);

}  // namespace grym
