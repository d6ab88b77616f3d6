#include "generation/prompt_reader.h"

#include <algorithm>
#include <cctype>

#include "base/number_text.h"
#include "generation/form.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {

struct MoodWord {
  const char* word;
  double energy, valence, cutoff;
};

constexpr MoodWord kMoodWords[] = {{"happy", 0.3, 1, 0.2},
                                   {"joyful", 0.4, 1, 0.2},
                                   {"cheerful", 0.3, 1, 0.2},
                                   {"uplifting", 0.5, 0.9, 0.2},
                                   {"bright", 0.2, 0.6, 0.5},
                                   {"sunny", 0.2, 0.9, 0.3},
                                   {"playful", 0.3, 0.8, 0.1},
                                   {"hopeful", 0.1, 0.6, 0.1},
                                   {"triumphant", 0.6, 0.8, 0.2},
                                   {"euphoric", 0.8, 0.8, 0.3},
                                   {"romantic", -0.2, 0.3, -0.1},
                                   {"warm", -0.2, 0.3, -0.4},
                                   {"sad", -0.4, -1, -0.3},
                                   {"melancholic", -0.4, -0.9, -0.3},
                                   {"melancholy", -0.4, -0.9, -0.3},
                                   {"gloomy", -0.3, -1, -0.5},
                                   {"dark", 0, -0.9, -0.5},
                                   {"moody", -0.1, -0.6, -0.3},
                                   {"mysterious", -0.2, -0.6, -0.3},
                                   {"tense", 0.3, -0.7, 0},
                                   {"scary", 0.2, -1, -0.2},
                                   {"angry", 0.9, -0.8, 0.3},
                                   {"aggressive", 1, -0.6, 0.4},
                                   {"epic", 0.8, -0.2, 0.2},
                                   {"dramatic", 0.5, -0.5, 0},
                                   {"energetic", 0.9, 0.2, 0.3},
                                   {"driving", 0.7, 0, 0.1},
                                   {"powerful", 0.8, 0, 0.2},
                                   {"intense", 0.9, -0.2, 0.2},
                                   {"heavy", 0.8, -0.4, 0},
                                   {"upbeat", 0.6, 0.7, 0.2},
                                   {"lively", 0.6, 0.5, 0.1},
                                   {"exciting", 0.8, 0.4, 0.2},
                                   {"calm", -0.8, 0.2, -0.3},
                                   {"relaxing", -0.8, 0.3, -0.3},
                                   {"relaxed", -0.7, 0.3, -0.3},
                                   {"peaceful", -0.9, 0.3, -0.3},
                                   {"soft", -0.6, 0.1, -0.4},
                                   {"gentle", -0.7, 0.2, -0.3},
                                   {"quiet", -0.8, 0, -0.3},
                                   {"mellow", -0.6, 0.1, -0.4},
                                   {"dreamy", -0.5, 0.2, -0.1},
                                   {"smooth", -0.4, 0.2, -0.3},
                                   {"laid-back", -0.6, 0.2, -0.2},
                                   {"nostalgic", -0.3, -0.2, -0.3},
                                   {"groovy", 0.3, 0.3, 0},
                                   {"hypnotic", 0, -0.2, 0},
                                   {"minimal", -0.4, 0, 0},
                                   {"neutral", 0, 0, 0}};

struct TempoWord {
  const char* word;
  double pull;
};
constexpr TempoWord kTempoWords[] = {{"slow", -1}, {"slower", -0.6}, {"downtempo", -0.8}, {"mid-tempo", 0},
                                     {"fast", 1},  {"faster", 0.6},  {"quick", 0.8},      {"uptempo", 0.8},
                                     {"adagio", -1}, {"andante", -0.4}, {"allegro", 0.7}, {"presto", 1}};

bool HasWords(const std::string& text, const std::string& words) {
  return text.find(" " + words + " ") != std::string::npos;
}

std::vector<std::string> SplitWords(const std::string& text) {
  std::vector<std::string> words;
  size_t at = 0;
  while (at < text.size()) {
    const size_t space = text.find(' ', at);
    const size_t end = space == std::string::npos ? text.size() : space;
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::optional<double> ReadTempo(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view tail;
    const std::optional<double> value = LeadingNumber(words[i], &tail);
    if (!value || *value < 30 || *value > 300) continue;
    if (tail == "bpm" || (tail.empty() && i + 1 < words.size() && (words[i + 1] == "bpm" || words[i + 1] == "beats"))) {
      return value;
    }
    if (tail.empty() && i > 0 && words[i - 1] == "tempo") return value;
  }
  return std::nullopt;
}

// "f minor", "c# major", "bb minor", "e flat major", "am" only after "in" or "key of".
std::optional<MusicalKey> ReadKey(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.empty() || word[0] < 'a' || word[0] > 'g' || word.size() > 3) continue;
    std::string name(1, static_cast<char>(word[0] - 'a' + 'A'));
    name += word.substr(1);
    size_t next = i + 1;
    if (next < words.size() && (words[next] == "sharp" || words[next] == "flat")) {
      name += words[next++] == "sharp" ? '#' : 'b';
    }
    const bool named = next < words.size() && (words[next] == "minor" || words[next] == "major");
    const bool led = i > 0 && (words[i - 1] == "of" || (words[i - 1] == "in" && word.size() > 1));
    if (!named && !led) continue;
    const auto key = ParseKey(named ? name + " " + words[next] : name);
    if (key.ok()) return MusicalKey{*key % 12, *key >= 12};
  }
  return std::nullopt;
}

// Takes " no X", " without X", " not X" out of `text` and returns the removed parts.
std::string TakeNegatives(std::string* text) {
  std::string taken = " ";
  for (const char* lead : {" without ", " no ", " not ", " except ", " minus "}) {
    for (size_t at = text->find(lead); at != std::string::npos; at = text->find(lead)) {
      size_t end = at + std::string(lead).size();
      for (int words = 0; words < 4 && end < text->size(); ++words) {  // up to four words or a stop word
        const size_t space = text->find(' ', end);
        const std::string word = text->substr(end, space - end);
        if (word == "but" || word == "with" || word == "in" || word == "and-with" || word == "at") break;
        taken += word + " ";
        end = space == std::string::npos ? text->size() : space + 1;
      }
      text->replace(at, end - at, " ");
    }
  }
  return taken;
}

// Words of genres that also describe another one: "a funky house track" is house, "funky" alone is funk.
constexpr const char* kDescribingWords[] = {
    "funky",       "groove",      "soul",       "swing",      "shuffle",    "boogie",    "space",
    "sleep",       "atmospheric", "cinematic",  "orchestral", "chill",      "downtempo", "80s",
    "eighties",    "acid",        "liquid",     "industrial", "dance",      "club",      "warehouse",
    "alternative", "indie",       "meditation", "ballad",     "soundscape", "drone",     "garage",
    "symphony",    "chamber",     "baroque",    "rave",       "dub"};

struct GenreMention {
  size_t at = 0, end = 0;
  const Genre* genre = nullptr;
  bool describing = false;
  int phrase = 0;
};

// Where phrases end becomes a word: "house, funk" names two genres, "funk house" one.
std::string SpellOutClauses(std::string_view prompt) {
  std::string text;
  for (const char c : prompt) {
    if (std::string_view(",;:!?()\n").find(c) != std::string_view::npos) text += " and ";
    else text += c;
  }
  return text;
}

bool EndsPhrase(const std::string& between) {
  for (const char* word : {"and", "with", "in",        "at", "for",  "from", "over", "under", "meets", "plus",
                           "on",  "like", "featuring", "of", "then", "into", "but",  "or",    "by",    "to"}) {
    if (HasWords(between, word)) return true;
  }
  return false;
}

// Every genre word, the longest where some overlap, in order.
std::vector<GenreMention> FindGenreMentions(const std::string& text) {
  std::vector<GenreMention> found;
  for (const Genre* genre : AllGenres()) {
    std::vector<const char*> words = genre->words;
    words.push_back(genre->name);
    for (const char* word : words) {
      const std::string spaced = " " + std::string(word) + " ";
      for (size_t at = text.find(spaced); at != std::string::npos; at = text.find(spaced, at + 1)) {
        const bool describing = std::find_if(std::begin(kDescribingWords), std::end(kDescribingWords),
                                             [&](const char* other) { return std::string_view(other) == word; }) !=
                                std::end(kDescribingWords);
        found.push_back({at + 1, at + spaced.size() - 1, genre, describing, 0});
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.end - a.at > b.end - b.at; });
  std::vector<GenreMention> kept;
  for (const GenreMention& mention : found) {
    const bool covered = std::any_of(
        kept.begin(), kept.end(), [&](const auto& other) { return mention.at < other.end && other.at < mention.end; });
    if (!covered) kept.push_back(mention);
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  for (size_t i = 1; i < kept.size(); ++i) {
    const std::string between = " " + text.substr(kept[i - 1].end, kept[i].at - kept[i - 1].end) + " ";
    kept[i].phrase = kept[i - 1].phrase + EndsPhrase(between);
  }
  return kept;
}

// The head of an English noun phrase comes last: "jazz house" is house. The first phrase rules; a describing word rules
// only where no other is.
std::vector<const Genre*> ReadGenres(const std::string& text) {
  std::vector<GenreMention> mentions = FindGenreMentions(text);
  std::stable_sort(mentions.begin(), mentions.end(), [](const GenreMention& a, const GenreMention& b) {
    if (a.describing != b.describing) return b.describing;
    return a.phrase != b.phrase ? a.phrase < b.phrase : a.at > b.at;
  });
  std::vector<const Genre*> genres;
  for (const GenreMention& mention : mentions) {
    if (std::find(genres.begin(), genres.end(), mention.genre) == genres.end()) genres.push_back(mention.genre);
  }
  return genres;
}

}  // namespace

std::string PlainWords(std::string_view text) {
  std::string plain = " ";
  for (const char c : text) {
    const unsigned char u = static_cast<unsigned char>(c);
    const bool kept = std::isalnum(u) || c == '#' || c == '&' || c == '/' || c == '-' || c == '\'' || u >= 128;
    if (kept) plain += static_cast<char>(u < 128 ? std::tolower(u) : u);
    else if (c == '.' && !plain.empty() && std::isdigit(static_cast<unsigned char>(plain.back()))) plain += '.';
    else if (plain.back() != ' ') plain += ' ';
  }
  if (plain.back() != ' ') plain += ' ';
  for (size_t at = plain.find(". "); at != std::string::npos; at = plain.find(". ")) plain.erase(at, 1);
  return plain;
}

int ReadMood(std::string_view text, MoodWish* mood) {
  const std::string plain = PlainWords(text);
  int known = 0;
  for (const MoodWord& word : kMoodWords) {
    if (!HasWords(plain, word.word)) continue;
    ++known;
    mood->energy += word.energy;
    mood->valence += word.valence;
    mood->cutoff += word.cutoff;
  }
  mood->words += known;
  return known;
}

std::vector<const Instrument*> ReadInstruments(std::string_view text) {
  std::string plain = PlainWords(text);
  for (const char* word : {" drum and bass ", " drum & bass ", " drum n bass "}) {
    const size_t at = plain.find(word);
    if (at != std::string::npos) plain.replace(at, std::string(word).size(), " ");
  }
  std::vector<std::pair<size_t, const Instrument*>> found;
  for (const Instrument& instrument : AllInstruments()) {
    if (std::string_view(instrument.word) == "key") continue;  // "in the key of"
    for (const char* ending : {"", "s", "es"}) {
      const std::string word = " " + std::string(instrument.word) + ending + " ";
      const size_t at = plain.find(word);
      if (at == std::string::npos) continue;
      found.push_back({at, &instrument});
      plain.replace(at + 1, word.size() - 2, std::string(word.size() - 2, '*'));  // keeps the other positions
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Instrument*> instruments;
  for (const auto& item : found) instruments.push_back(item.second);
  return instruments;
}

PromptWish ReadPrompt(std::string_view prompt) {
  PromptWish wish;
  std::string text = PlainWords(prompt);
  wish.without = ReadInstruments(TakeNegatives(&text));
  std::string clauses = PlainWords(SpellOutClauses(prompt));
  TakeNegatives(&clauses);
  wish.genres = ReadGenres(clauses);

  const std::vector<std::string> words = SplitWords(text);
  wish.tempo_bpm = ReadTempo(words);
  wish.key = ReadKey(words);
  for (const TempoWord& word : kTempoWords) {
    if (HasWords(text, word.word)) wish.tempo_pull = std::clamp(wish.tempo_pull + word.pull, -1.0, 1.0);
  }
  if (!wish.key && (HasWords(text, "minor key") || HasWords(text, "minor"))) wish.minor = true;
  if (!wish.key && (HasWords(text, "major key") || HasWords(text, "major"))) wish.minor = false;
  if (HasWords(text, "3/4") || HasWords(text, "three four") || HasWords(text, "triple meter")) wish.meter = 3;
  if (HasWords(text, "4/4") || HasWords(text, "four four")) wish.meter = 4;
  ReadMood(text, &wish.mood);
  wish.instruments = ReadInstruments(text);
  wish.solo = HasWords(text, "solo") && wish.instruments.size() == 1;
  for (const std::string& word : words) {
    if (IsSectionName(word) && word != "solo" && word.size() > 2) wish.sections.push_back(word);
  }
  if (wish.sections.size() < 2) wish.sections.clear();
  return wish;
}

}  // namespace grym
