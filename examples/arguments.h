// Command line options of the examples: "--name value" and "-n value", everything else is positional.
#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
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
  // The value as a finite number; sets `error` for anything else.
  std::optional<double> Number(const std::string& name) {
    const std::optional<double> value = Read<double>(name);
    if (!options.count(name) || (value && std::isfinite(*value))) return value;
    error = name + ": want a number, got \"" + options[name] + "\"";
    return std::nullopt;
  }
  // The value as a whole number from `least` to all that `Value` holds; sets `error` for anything else.
  template <class Value>
  std::optional<Value> Integer(const std::string& name, Value least) {
    const std::optional<Value> value = Read<Value>(name);
    if (!options.count(name) || (value && *value >= least)) return value;
    error = name + ": want a whole number from " + std::to_string(least) + " to " +
            std::to_string(std::numeric_limits<Value>::max()) + ", got \"" + options[name] + "\"";
    return std::nullopt;
  }

 private:
  // All of the text, whatever the locale.
  template <class Value>
  std::optional<Value> Read(const std::string& name) const {
    const std::string text = Text(name);
    Value value{};
    const char* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data(), end, value);
    return failed == std::errc() && stop == end && !text.empty() ? std::optional<Value>(value) : std::nullopt;
  }
};

// The shortest text that reads back the same.
inline std::string NumberText(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// One line that is written over: "[#####.....]  48 %  generate, 12 s left".
inline void ShowProgress(double fraction, double eta_s, const std::string& stage) {
  const int filled = static_cast<int>(fraction * 24);
  std::fprintf(stderr, "\r[%.*s%.*s] %3.0f %%  %-28.28s", filled, "########################", 24 - filled,
               "........................", fraction * 100, stage.c_str());
  if (eta_s >= 0) std::fprintf(stderr, " %4.0f s left ", eta_s);
  std::fflush(stderr);
}
