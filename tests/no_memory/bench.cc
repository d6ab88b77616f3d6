// What all walks share: a recording, what is heard in it, a store of its patterns; and how results are told.
#include <cmath>
#include <cstdlib>

#include "no_memory/walks.h"

namespace grym::testing {
namespace {

// A folder of our own; the library's is not to be had behind the C ABI.
std::filesystem::path NewFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "grym-test-XXXXXX").string();
  if (!mkdtemp(name.data())) Complain("no temporary folder");
  return name;
}

// Half a second of a pulsing tone: long enough to be heard, short enough to be heard a thousand times.
std::vector<float> Pulses(double seconds, int rate_hz) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / rate_hz;
    samples[i] = static_cast<float>(0.5 * std::sin(6.2831853 * 220 * t) * std::exp(-8 * std::fmod(t, 0.25)));
  }
  return samples;
}

}  // namespace

Bench::Bench()
    : folder(NewFolder()), wav(folder / "short.wav"), flac(folder / "short.flac"), store(folder / "store.db") {
  std::filesystem::create_directory(folder / "tmp");
  setenv("TMPDIR", (folder / "tmp").c_str(), 1);
  const std::vector<float> samples = Pulses(0.5, 22050), longer = Pulses(6, 22050);
  grym_audio* heard = nullptr;
  Want(grym_engine_create(nullptr, &engine));
  Want(grym_audio_create(samples.data(), 1, static_cast<int64_t>(samples.size()), 22050, &audio));
  Want(grym_audio_save(audio, wav.c_str(), nullptr));
  Want(grym_audio_save(audio, flac.c_str(), nullptr));
  Want(grym_audio_create(longer.data(), 1, static_cast<int64_t>(longer.size()), 22050, &heard));
  Want(grym_engine_analyze(engine, heard, nullptr, nullptr, nullptr, &features));
  Want(grym_engine_patterns_of_features(engine, features, &patterns));
  grym_text* text = nullptr;
  Want(grym_patterns_to_json(patterns, &text));
  patterns_json = Take(text);
  Want(grym_memory_open(store.c_str(), 0, &memory));
  Want(grym_memory_store(memory, patterns, nullptr, 0));
  grym_audio_destroy(heard);
  if (grym_patterns_count(patterns) == 0) Complain("the pulses have no pattern");
}

Bench::~Bench() {
  grym_memory_destroy(memory);
  grym_patterns_destroy(patterns);
  grym_features_destroy(features);
  grym_audio_destroy(audio);
  grym_engine_destroy(engine);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void Bench::Want(grym_status status) {
  if (status != GRYM_STATUS_OK) Complain(std::string("setting up: ") + grym_last_error());
}

std::string Bench::StoreState() {
  grym_text* text = nullptr;
  Want(grym_memory_stats_json(memory, &text));
  const std::string stats = Take(text);
  const grym_status whole = grym_memory_check(memory);
  return stats.substr(0, stats.find("\"file_bytes\"")) + grym_status_name(whole) +
         (whole == GRYM_STATUS_OK ? "" : grym_last_error());
}

std::string Bench::LostFolders() const {
  int lost = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "tmp")) {
    lost += !std::filesystem::exists(entry.path() / ".grymsynth-owner");
  }
  return std::to_string(lost) + " lost";
}

std::string Take(grym_text*& text) {
  std::string words = text ? grym_text_data(text) : "";
  grym_text_destroy(text);
  text = nullptr;
  return words;
}

std::string Describe(grym_audio*& audio) {
  double sum = 0;
  const float* samples = grym_audio_planar(audio);
  const int64_t count = grym_audio_channels(audio) * grym_audio_frames(audio);
  for (int64_t i = 0; i < count; ++i) sum += (1 + i % 7) * samples[i];
  const std::string words =
      std::to_string(count) + " " + std::to_string(sum) + " " + std::to_string(grym_audio_rate_hz(audio));
  grym_audio_destroy(audio);
  audio = nullptr;
  return words;
}

std::string Describe(grym_features*& features) {
  grym_text* text = nullptr;
  grym_features_to_json(features, 1, &text);
  grym_features_destroy(features);
  features = nullptr;
  return Take(text);
}

std::string Describe(grym_patterns*& patterns) {
  grym_text* text = nullptr;
  grym_patterns_to_json(patterns, &text);
  grym_patterns_destroy(patterns);
  patterns = nullptr;
  return Take(text);
}

std::string Describe(grym_result*& result) {
  grym_audio* audio = nullptr;
  grym_result_audio(result, &audio);
  grym_result_destroy(result);
  result = nullptr;
  return Describe(audio);
}

}  // namespace grym::testing
