// Bytes as an audio file: probed, read in blocks, loaded. Nothing may crash, hang, leak, or take memory beyond the
// limit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/fs.h"
#include "grymsynth/audio_file.h"

// libsndfile 1.2 forgets Vorbis' and Ogg's state when a broken OGG fails to open. Nothing else may leak.
extern "C" const char* __lsan_default_suppressions() { return "leak:vorbis_\nleak:ogg_\n"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One file for the life of the process; the reader takes paths alone.
  static const std::filesystem::path path = grym::MakeTempFolder("grym-fuzz").value() / "input";
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  grym::AudioLimits limits;
  limits.decoded_bytes = 16 << 20;
  const auto audio = grym::LoadAudio(path, limits);
  if (!audio.ok()) return 0;
  if (audio->channels() * audio->frames() * 4 > limits.decoded_bytes + 32 * 4 * 4096) std::abort();
  auto reader = grym::AudioReader::Open(path, limits);
  if (!reader.ok()) std::abort();  // the same bytes were read a moment ago
  int64_t frames = 0;
  while (true) {
    const auto block = reader->Read(1000);
    if (!block.ok()) std::abort();
    if (block->empty()) break;
    frames += block->frames();
  }
  if (frames != audio->frames()) std::abort();
  return 0;
}
