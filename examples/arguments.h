// Command line options of the examples: "--name value" and "-n value", everything else is positional.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string> options;
  std::string error;

  // `known` lists the options with a value; "-o" and friends are given by their whole name.
  Arguments(int count, char** values, const std::vector<std::string>& known) {
    for (int i = 1; i < count; ++i) {
      const std::string word = values[i];
      if (word.size() < 2 || word[0] != '-') {
        positional.push_back(word);
        continue;
      }
      bool found = false;
      for (const std::string& name : known) found = found || name == word;
      if (!found) {
        error = "unknown option " + word;
      } else if (i + 1 >= count) {
        error = word + ": want a value";
      } else {
        options[word] = values[++i];
      }
    }
  }
  std::string Text(const std::string& name, const std::string& fallback = "") const {
    const auto it = options.find(name);
    return it == options.end() ? fallback : it->second;
  }
  // The value as a number; sets `error` for anything else.
  std::optional<double> Number(const std::string& name) {
    const auto it = options.find(name);
    if (it == options.end()) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(it->second.c_str(), &end);
    if (end == it->second.c_str() || *end != '\0') error = name + ": want a number, got \"" + it->second + "\"";
    return value;
  }
};

// One line that is written over: "[#####.....]  48 %  generate, 12 s left".
inline void ShowProgress(double fraction, double eta_s, const std::string& stage) {
  const int filled = static_cast<int>(fraction * 24);
  std::fprintf(stderr, "\r[%.*s%.*s] %3.0f %%  %-28.28s", filled, "########################", 24 - filled,
               "........................", fraction * 100, stage.c_str());
  if (eta_s >= 0) std::fprintf(stderr, " %4.0f s left ", eta_s);
  std::fflush(stderr);
}
