#include "models/clap/style_prompts.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace grym {
namespace {

constexpr StylePrompt kGenrePrompts[] = {
    {"ambient", "This is ambient music, slow atmospheric pads without a beat."},
    {"blues", "This is blues music with a shuffle rhythm and a blues guitar."},
    {"classical", "This is classical music played by an orchestra or on acoustic instruments."},
    {"country", "This is country music with twangy guitars."},
    {"disco", "This is disco music with strings and a four-on-the-floor beat."},
    {"drum-and-bass", "This is drum and bass music with fast breakbeats and deep bass."},
    {"electronic", "This is electronic music made with synthesizers."},
    {"folk", "This is folk music with an acoustic guitar."},
    {"funk", "This is funk music with a syncopated bass line."},
    {"hip-hop", "This is hip hop music with a heavy beat."},
    {"house", "This is house music with a steady kick drum."},
    {"jazz", "This is jazz music with swing and improvisation."},
    {"metal", "This is heavy metal music with distorted guitars."},
    {"pop", "This is pop music with a catchy melody."},
    {"reggae", "This is reggae music with off-beat guitar chords."},
    {"rock", "This is rock music with electric guitars and drums."},
    {"techno", "This is techno music with a hypnotic repetitive beat."},
    {"waltz", "This is a waltz in three-four time."},
    {"speech", "This is a person speaking."},
    {"percussion", "This is percussion alone, drums without melody."},
    {"solo instrument", "This is a solo instrument playing a melody."},
};

constexpr StylePrompt kMoodPrompts[] = {
    {"energetic", "This music is energetic."},   {"calm", "This music is calm and relaxing."},
    {"happy", "This music is happy."},           {"sad", "This music is sad."},
    {"dark", "This music is dark and gloomy."},  {"bright", "This music is bright and cheerful."},
    {"aggressive", "This music is aggressive."}, {"dreamy", "This music is dreamy."},
    {"tense", "This music is tense."},
};

constexpr StylePrompt kTexturePrompts[] = {
    {"percussive", "The sound is percussive, with sharp attacks."},
    {"sustained", "The sound is made of long sustained notes."},
    {"sparse", "The sound is sparse, with few notes and much silence."},
    {"dense", "The sound is dense, with many layers at once."},
    {"warm", "The sound is warm and mellow."},
    {"airy", "The sound is airy, with much treble."},
    {"noisy", "The sound is noisy, like static or wind."},
    {"monophonic", "The sound is a single melody line, one note at a time."},
    {"polyphonic", "The sound is made of chords and several voices at once."},
    {"wide", "The sound is wide and spacious, with reverberation."},
    {"dynamic", "The sound changes between very quiet and very loud."},
};

std::vector<std::pair<double, const char*>> BestFirst(std::span<const StylePrompt> prompts,
                                                      const std::vector<double>& scores) {
  std::vector<std::pair<double, const char*>> ranked;
  for (size_t i = 0; i < prompts.size(); ++i) ranked.emplace_back(scores[i], prompts[i].label);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  return ranked;
}

Json RankedToJson(const std::vector<std::pair<double, const char*>>& ranked) {
  Json array = Json::Array();
  for (const auto& [score, label] : ranked) {
    Json entry = Json::Object();
    entry["label"] = label;
    entry["score"] = score;
    array.push_back(std::move(entry));
  }
  return array;
}

}  // namespace

std::span<const StylePrompt> GenrePrompts() { return kGenrePrompts; }
std::span<const StylePrompt> MoodPrompts() { return kMoodPrompts; }
std::span<const StylePrompt> TexturePrompts() { return kTexturePrompts; }

std::string StyleScoresToJson(const StyleScores& scores) {
  const auto genres = BestFirst(kGenrePrompts, scores.genres);
  Json json = Json::Object();
  json["schema"] = "grymsynth.style/1";
  json["genres"] = RankedToJson(genres);
  json["moods"] = RankedToJson(BestFirst(kMoodPrompts, scores.moods));
  json["textures"] = RankedToJson(BestFirst(kTexturePrompts, scores.textures));
  json["method"] = "clap";
  json["unsure"] = genres[0].first <= 0 || genres[0].first < 1.25 * genres[1].first;
  return json.Dump();
}

}  // namespace grym
