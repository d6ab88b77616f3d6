// The main job's results in C++, byte for byte what main_job_test.c writes. Usage: main_job_cxx INPUT FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "grymsynth/engine.h"
#include "grymsynth/midi.h"

namespace {

bool Write(const std::filesystem::path& path, const void* bytes, size_t size) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  return static_cast<bool>(file.flush());
}
bool Write(const std::filesystem::path& path, const std::string& text) { return Write(path, text.data(), text.size()); }
bool Write(const std::filesystem::path& path, const grym::AudioBuffer& audio) {
  return Write(path, audio.planar().data(), audio.planar().size_bytes());
}

absl::Status Run(const std::filesystem::path& input, const std::filesystem::path& folder) {
  auto engine = grym::Engine::Create();
  if (!engine.ok()) return engine.status();
  grym::AudioProcessor& processor = (*engine)->processor();
  auto features = processor.Analyze(input);
  if (!features.ok()) return features.status();
  auto patterns = processor.DetectPatterns(input);
  if (!patterns.ok()) return patterns.status();
  auto audio = grym::LoadAudio(input);
  if (!audio.ok()) return audio.status();
  auto enhanced = processor.Enhance(*audio);
  if (!enhanced.ok()) return enhanced.status();
  grym::GenerateAudioRequest request;
  request.prompt = "house, bright";
  request.seed = 7;
  request.duration_s = 8;
  request.want_stems = true;
  request.model = "composer";
  auto made = (*engine)->Generate(request);
  if (!made.ok()) return made.status();
  if (!made->midi) return absl::InternalError("the take has no MIDI");
  if (absl::Status saved = grym::SaveMidi(folder / "take.mid", *made->midi); !saved.ok()) return saved;
  auto comparison = grym::Compare(*audio, enhanced->audio);
  if (!comparison.ok()) return comparison.status();
  const bool written = Write(folder / "features.json", grym::FeaturesToJson(*features)) &&
                       Write(folder / "patterns.json", grym::PatternsToJson(*patterns)) &&
                       Write(folder / "enhanced.f32", enhanced->audio) && Write(folder / "take.f32", made->audio) &&
                       Write(folder / "comparison.json", grym::ComparisonToJson(*comparison));
  if (!written) return absl::InternalError("cannot write to " + folder.string());
  return grym::SaveAudio(folder / "take.wav", made->audio);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::printf("usage: main_job_cxx INPUT FOLDER\n");
    return 2;
  }
  const absl::Status status = Run(argv[1], argv[2]);
  if (!status.ok()) std::printf("%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
