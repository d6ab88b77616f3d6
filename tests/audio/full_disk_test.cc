// Exports where the disk, or the size that a file may have, is used up: an error that says so, the file that was there
// before untouched, and nothing else left. And a reader beside a writer that is killed: all or nothing.
#ifndef _WIN32
#include <gtest/gtest.h>
#include <poll.h>

#include <csignal>

#include "audio/audio_samples.h"
#include "base/random.h"
#include "grymsynth/error.h"
#include "grymsynth/midi.h"
#include "support/child.h"
#include "support/scratch.h"
#include "support/small_disk.h"

namespace grym {
namespace {

using testing::Bytes;
using testing::ChildEnd;
using testing::InChild;
using testing::LimitFileSize;
using testing::MountSmallDisk;
using testing::SameSamples;
using testing::Scratch;
using testing::Sine;

constexpr int kNotHere = 77;

int FilesIn(const std::filesystem::path& folder) {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// Noise, so that every coder writes much.
AudioBuffer Noise(double seconds, uint64_t seed = 1) {
  AudioBuffer audio = Sine(440, seconds, 44100, 2);
  Random random(seed);
  for (float& sample : audio.mutable_planar()) sample = static_cast<float>(random.Uniform(-0.5, 0.5));
  return audio;
}

class FullDiskTest : public ::testing::TestWithParam<const char*> {};

TEST_P(FullDiskTest, AFileSizeLimitIsToldAndLeavesWhatWasThere) {
  Scratch scratch;
  const auto path = scratch / ("take" + std::string(GetParam()));
  ASSERT_TRUE(SaveAudio(path, Sine(440, 0.1, 44100)).ok());
  const std::string before = Bytes(path);
  const AudioBuffer large = Noise(1);
  ASSERT_TRUE(SaveAudio(scratch / ("whole" + std::string(GetParam())), large).ok());
  const auto whole = std::filesystem::file_size(scratch / ("whole" + std::string(GetParam())));
  for (const uintmax_t limit : {uintmax_t{0}, uintmax_t{1}, uintmax_t{4096}, whole / 2, whole - 5000, whole - 1}) {
    const ChildEnd end = InChild([&] {
      if (!LimitFileSize(static_cast<rlim_t>(limit))) return kNotHere;
      const absl::Status told = SaveAudio(path, large);
      if (told.code() != absl::StatusCode::kResourceExhausted || ErrorCode(told) != "write_failed") {
        std::fprintf(stderr, "%s\n", told.ToString().c_str());
        return 1;
      }
      if (told.message().find("take") == absl::string_view::npos) return 2;
      if (Bytes(path) != before || FilesIn(scratch.path()) != 2) return 3;
      if (!LimitFileSize(RLIM_INFINITY)) return kNotHere;
      return SaveAudio(scratch / ("later" + std::string(GetParam())), large).ok() ? 0 : 4;
    });
    EXPECT_EQ(end.code, 0) << limit << " of " << whole;
    std::filesystem::remove(scratch / ("later" + std::string(GetParam())));
  }
}

TEST_P(FullDiskTest, ADiskOfAMegabyteIsToldAndLeavesWhatWasThere) {
  Scratch scratch;
  const auto path = scratch / ("take" + std::string(GetParam()));
  const ChildEnd end = InChild([&] {
    if (!MountSmallDisk(scratch.path(), 1 << 20)) return kNotHere;
    if (!SaveAudio(path, Sine(440, 0.1, 44100)).ok()) return 1;
    const std::string before = Bytes(path);
    const absl::Status told = SaveAudio(path, Noise(60));
    if (told.code() != absl::StatusCode::kResourceExhausted) {
      std::fprintf(stderr, "%s\n", told.ToString().c_str());
      return 2;
    }
    if (Bytes(path) != before || FilesIn(scratch.path()) != 1) return 3;
    return SaveAudio(path, Sine(220, 0.2, 44100)).ok() ? 0 : 4;
  });
  if (end.code == kNotHere) GTEST_SKIP() << "no file system of one's own can be mounted here";
  EXPECT_EQ(end.code, 0);
}

INSTANTIATE_TEST_SUITE_P(Containers, FullDiskTest, ::testing::Values(".wav", ".flac", ".ogg"),
                         [](const auto& extension) { return std::string(extension.param + 1); });

TEST(FullDiskMidiTest, AFileSizeLimitIsTold) {
  Scratch scratch;
  Midi midi;
  midi.tracks.resize(1);
  for (int i = 0; i < 500; ++i) midi.notes.push_back({i * 0.25, 0.2, 60 + i % 12, 90, 0, 0});
  midi.duration_s = 125;
  const ChildEnd end = InChild([&] {
    if (!LimitFileSize(100)) return kNotHere;
    const absl::Status told = SaveMidi(scratch / "a.mid", midi);
    return told.code() == absl::StatusCode::kResourceExhausted && FilesIn(scratch.path()) == 0 ? 0 : 1;
  });
  EXPECT_EQ(end.code, 0);
}

// The child writes two takes over each other until it is killed. Whoever reads, then or meanwhile, gets one of them.
TEST(ExportKillTest, AReaderSeesAllOrNothing) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kKills = 20;
#else
  constexpr int kKills = 200;
#endif
  Scratch scratch;
  const AudioBuffer takes[] = {Noise(0.05, 1), Noise(0.08, 2)};
  std::vector<AudioBuffer> written;
  for (const char* name : {"take.wav", "take.flac"}) {
    for (const AudioBuffer& take : takes) {
      ASSERT_TRUE(SaveAudio(scratch / name, take).ok());
      written.push_back(LoadAudio(scratch / name).value());
    }
  }
  const auto is_whole = [&](size_t container) {
    const auto audio = LoadAudio(scratch / (container == 0 ? "take.wav" : "take.flac"));
    if (!audio.ok()) return false;
    return SameSamples(*audio, written[2 * container]) || SameSamples(*audio, written[2 * container + 1]);
  };
  Random random(5);
  int replaced = 0;
  for (int round = 0; round < kKills; ++round) {
    const size_t container = static_cast<size_t>(round % 2);
    const auto path = scratch / (container == 0 ? "take.wav" : "take.flac");
    const auto before = std::filesystem::last_write_time(path);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (size_t i = 0;; ++i) {
        if (!SaveAudio(path, takes[i % 2]).ok()) _exit(1);
      }
    }
    for (int64_t reads = random.Below(4); reads > 0; --reads) EXPECT_TRUE(is_whole(container)) << round;
    poll(nullptr, 0, static_cast<int>(random.Below(6)));  // anywhere within encoding, syncing, renaming
    kill(child, SIGKILL);
    int state = 0;
    waitpid(child, &state, 0);
    ASSERT_TRUE(WIFSIGNALED(state)) << "the child ended by itself with " << WEXITSTATUS(state);
    EXPECT_TRUE(is_whole(container)) << round;
    replaced += std::filesystem::last_write_time(path) != before;
  }
  EXPECT_GT(replaced, kKills / 20);  // else nothing was ever killed in between
}

}  // namespace
}  // namespace grym
#endif
