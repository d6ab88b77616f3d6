// The native models out of a library that is loaded while the program runs. Usage: load_native LIBRARY
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "grymsynth/engine.h"
#include "grymsynth/error.h"

namespace {

int Wrong(const char* what, const absl::Status& got) {
  std::fprintf(stderr, "%s, got %s: %s\n", what, grym::ErrorCode(got).c_str(), std::string(got.message()).c_str());
  return 1;
}

// Two engines, each with an opener of its own.
int OpenTwice(const char* library, const std::filesystem::path& folder) {
  for (int i = 0; i < 2; ++i) {
    auto engine = grym::Engine::Create();
    if (!engine.ok()) return Wrong("want an engine", engine.status());
    if (const absl::Status got = (*engine)->OpenModel(folder).status(); grym::ErrorCode(got) != "no_opener")
      return Wrong("want no_opener before the library is loaded", got);
    if (const absl::Status got = (*engine)->LoadNativeModels(library); !got.ok()) return Wrong("want it loaded", got);
    if (!(*engine)->has_model_opener()) return Wrong("want an opener", absl::OkStatus());
    // The library reads the folder and says of itself which families it knows.
    const absl::Status got = (*engine)->OpenModel(folder).status();
    if (grym::ErrorCode(got) != "unknown_family") return Wrong("want unknown_family of the library", got);
  }
  return 0;
}

}  // namespace

int main(int count, char** values) {
  if (count != 2) return 2;
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "grymsynth-load-native";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << "{\"model_type\": \"abacus\"}";
  const int failed = OpenTwice(values[1], folder);
  std::filesystem::remove_all(folder);
  return failed;
}
