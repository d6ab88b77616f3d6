// Files that are made to hang, fill or mislead: each ends within 2 s and with less than 200 MB above an ordinary file's
// reading, measured in a process of its own, with an error that names it.
#ifndef _WIN32
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <functional>

#include "audio/audio_samples.h"
#include "audio/byte_order.h"
#include "grymsynth/error.h"
#include "support/child.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::ChildEnd;
using testing::InChild;
using testing::PutFile;
using testing::Scratch;
using testing::Sine;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasured = false;  // sanitizers have a memory and a pace of their own
#else
constexpr bool kMeasured = true;
#endif

uint8_t FlacCrc8(std::string_view bytes) {
  uint8_t crc = 0;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = static_cast<uint8_t>(crc & 0x80 ? crc << 1 ^ 0x07 : crc << 1);
  }
  return crc;
}
uint16_t FlacCrc16(std::string_view bytes) {
  uint16_t crc = 0;
  for (const char byte : bytes) {
    crc = static_cast<uint16_t>(crc ^ static_cast<uint8_t>(byte) << 8);
    for (int bit = 0; bit < 8; ++bit) crc = static_cast<uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x8005 : crc << 1);
  }
  return crc;
}

// Silence in FLAC by hand: 65,535 frames of 8 channels in 42 bytes (RFC 9639, constant subframes).
std::string FlacSilence(int64_t blocks, int64_t declared_frames) {
  std::string file("fLaC\x80\x00\x00\x22\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00", 18);
  PutBigEndian(file,
               uint64_t{44100} << 44 | uint64_t{7} << 41 | uint64_t{15} << 36 | static_cast<uint64_t>(declared_frames),
               8);
  file += std::string(16, '\0');
  for (int64_t block = 0; block < blocks; ++block) {
    // Fixed size, 16 bits of it follow; rate of the stream; 8 channels, 16 bit.
    std::string frame("\xff\xf8\x70\x78", 4);
    if (block < 0x80) {
      frame += static_cast<char>(block);
    } else if (block < 0x800) {
      frame += static_cast<char>(0xc0 | block >> 6);
      frame += static_cast<char>(0x80 | (block & 0x3f));
    } else {
      frame += static_cast<char>(0xe0 | block >> 12);
      frame += static_cast<char>(0x80 | (block >> 6 & 0x3f));
      frame += static_cast<char>(0x80 | (block & 0x3f));
    }
    PutBigEndian(frame, 65534, 2);
    frame += static_cast<char>(FlacCrc8(frame));
    frame += std::string(8 * 3, '\0');
    PutBigEndian(frame, FlacCrc16(frame), 2);
    file += frame;
  }
  return file;
}

// The head of a WAV: its RIFF, format and data sizes as given, whatever follows.
std::string WavHead(uint32_t riff_bytes, int channels, int bits, uint32_t data_bytes) {
  std::string file = "RIFF";
  PutLittleEndian(file, riff_bytes, 4);
  file += "WAVEfmt ";
  PutLittleEndian(file, 16, 4);
  PutLittleEndian(file, 1, 2);
  PutLittleEndian(file, static_cast<uint64_t>(channels), 2);
  PutLittleEndian(file, 44100, 4);
  PutLittleEndian(file, static_cast<uint64_t>(44100 * channels * bits / 8), 4);
  PutLittleEndian(file, static_cast<uint64_t>(channels * bits / 8), 2);
  PutLittleEndian(file, static_cast<uint64_t>(bits), 2);
  file += "data";
  PutLittleEndian(file, data_bytes, 4);
  return file;
}

// A WAV whose samples are a hole in the file. False where the file system keeps no such file.
bool PutHollowWav(const std::filesystem::path& path, int channels, int bits, uint32_t data_bytes) {
  PutFile(path, WavHead(data_bytes + 36, channels, bits, data_bytes));
  std::error_code error;
  std::filesystem::resize_file(path, uintmax_t{44} + data_bytes, error);
  return !error;
}

struct Answer {
  absl::StatusCode code = absl::StatusCode::kOk;
  ChildEnd end;
};

// How loading ends, in a child. Its error must name the file.
Answer LoadInChild(const std::filesystem::path& path) {
  Answer answer;
  answer.end = InChild([&] {
    const absl::Status told = LoadAudio(path).status();
    const bool named = told.message().find(path.filename().string()) != absl::string_view::npos;
    return told.ok() || named ? static_cast<int>(told.code()) : 100;
  });
  answer.code = static_cast<absl::StatusCode>(answer.end.code);
  return answer;
}

class HostileFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteBySndfile(scratch_ / "ordinary.wav", Sine(440, 1, 44100, 2), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    const Answer ordinary = LoadInChild(scratch_ / "ordinary.wav");
    ASSERT_EQ(ordinary.code, absl::StatusCode::kOk);
    ordinary_bytes_ = ordinary.end.peak_bytes;
  }
  void ExpectAnswer(const std::filesystem::path& path, absl::StatusCode code) {
    const Answer answer = LoadInChild(path);
    EXPECT_EQ(answer.code, code) << path << ": " << LoadAudio(path).status();
    EXPECT_EQ(answer.end.signal, 0) << path;
    if (!kMeasured) return;
    EXPECT_LT(answer.end.cpu_seconds, 2) << path;
    EXPECT_LT(answer.end.seconds, 20) << path;  // nothing waits for a pipe's other end
    EXPECT_LT(answer.end.peak_bytes - ordinary_bytes_, int64_t{200} << 20) << path;
  }
  Scratch scratch_;
  int64_t ordinary_bytes_ = 0;
};

TEST_F(HostileFilesTest, TheHandmadeSilenceIsAFlacFile) {
  PutFile(scratch_ / "few.flac", FlacSilence(3, 3 * 65535));
  const auto few = LoadAudio(scratch_ / "few.flac");
  ASSERT_TRUE(few.ok()) << few.status();
  EXPECT_EQ(few->channels(), 8);
  EXPECT_EQ(few->frames(), 3 * 65535);
}

TEST_F(HostileFilesTest, SmallFilesThatDecodeToGigabytes) {
  // 600 blocks of 2 MB decoded: 1.26 GB out of 25 KB.
  constexpr int64_t kBlocks = 600;
  PutFile(scratch_ / "declared.flac", FlacSilence(kBlocks, kBlocks * 65535));
  ExpectAnswer(scratch_ / "declared.flac", absl::StatusCode::kResourceExhausted);
  PutFile(scratch_ / "undeclared.flac", FlacSilence(kBlocks, 0));
  EXPECT_LT(std::filesystem::file_size(scratch_ / "undeclared.flac"), 40000u);
  ExpectAnswer(scratch_ / "undeclared.flac", absl::StatusCode::kResourceExhausted);
  // Just under the limit and a lie: nothing of it may be taken before it is counted.
  PutFile(scratch_ / "lie.flac", FlacSilence(1, int64_t{33} * 1000 * 1000));
  ExpectAnswer(scratch_ / "lie.flac", absl::StatusCode::kDataLoss);
  PutFile(scratch_ / "longest.flac", FlacSilence(1, (int64_t{1} << 36) - 1));
  ExpectAnswer(scratch_ / "longest.flac", absl::StatusCode::kResourceExhausted);
}

TEST_F(HostileFilesTest, HeadersThatPromiseWhatIsNotThere) {
  for (const uint32_t data_bytes : {0x20000000u, 0x40000000u, 0x60000000u}) {
    PutFile(scratch_ / "lie.wav", WavHead(data_bytes, 2, 16, data_bytes) + std::string(100, 'x'));
    ExpectAnswer(scratch_ / "lie.wav", absl::StatusCode::kDataLoss);
  }
  for (const uint64_t data_bytes : {uint64_t{1} << 33, uint64_t{3} << 40, uint64_t{1} << 62}) {
    std::string ds64 = "ds64";
    PutLittleEndian(ds64, 28, 4);
    PutLittleEndian(ds64, data_bytes, 8);
    PutLittleEndian(ds64, data_bytes, 8);
    PutLittleEndian(ds64, data_bytes / 4, 8);
    PutLittleEndian(ds64, 0, 4);
    std::string bytes = WavHead(0xffffffff, 2, 16, 0xffffffff).replace(0, 4, "RF64").insert(12, ds64);
    PutFile(scratch_ / "lie.rf64", bytes + std::string(100, 'x'));
    ExpectAnswer(scratch_ / "lie.rf64", absl::StatusCode::kDataLoss);
  }
}

// The sizes of reliability's table, as they come: 2 GiB of file, 1 GiB decoded.
TEST_F(HostileFilesTest, DefaultLimitsAreToldApart) {
  if (!PutHollowWav(scratch_ / "full.wav", 1, 16, (uint32_t{1} << 31) - 44)) GTEST_SKIP() << "no files with holes here";
  EXPECT_EQ(ErrorCode(LoadAudio(scratch_ / "full.wav").status()), "audio_too_long");  // the file itself is allowed
  EXPECT_TRUE(AudioReader::Open(scratch_ / "full.wav").ok());
  ExpectAnswer(scratch_ / "full.wav", absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(PutHollowWav(scratch_ / "over.wav", 1, 16, (uint32_t{1} << 31) - 42));
  EXPECT_EQ(ErrorCode(LoadAudio(scratch_ / "over.wav").status()), "file_too_large");
  EXPECT_EQ(ErrorCode(AudioReader::Open(scratch_ / "over.wav").status()), "file_too_large");
  ExpectAnswer(scratch_ / "over.wav", absl::StatusCode::kResourceExhausted);
  // 2^28 samples of a byte are 1 GiB decoded. One more is one too many; as many are read, but for the time it takes.
  ASSERT_TRUE(PutHollowWav(scratch_ / "long.wav", 1, 8, (uint32_t{1} << 28) + 1));
  EXPECT_EQ(ErrorCode(LoadAudio(scratch_ / "long.wav").status()), "audio_too_long");
  if (kMeasured) {
    ASSERT_TRUE(PutHollowWav(scratch_ / "longest.wav", 1, 8, uint32_t{1} << 28));
    const ChildEnd end = InChild([&] {
      const auto audio = LoadAudio(scratch_ / "longest.wav");
      return audio.ok() && audio->frames() == int64_t{1} << 28 ? 0 : 1;
    });
    EXPECT_EQ(end.code, 0);
    EXPECT_LT(end.peak_bytes - ordinary_bytes_, (int64_t{1} << 30) + (int64_t{200} << 20));
  }
}

TEST_F(HostileFilesTest, WhatIsNoFileIsRefusedWithoutBlocking) {
  ASSERT_EQ(mkfifo((scratch_ / "pipe.wav").c_str(), 0600), 0);
  ExpectAnswer(scratch_ / "pipe.wav", absl::StatusCode::kInvalidArgument);
  std::filesystem::create_directory(scratch_ / "folder.wav");
  ExpectAnswer(scratch_ / "folder.wav", absl::StatusCode::kInvalidArgument);
  for (const char* device : {"/dev/zero", "/dev/null", "/dev/full", "/dev/tty"}) {
    if (std::filesystem::exists(device)) ExpectAnswer(device, absl::StatusCode::kInvalidArgument);
  }
  const int end = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name {};
  name.sun_family = AF_UNIX;
  const std::string place = (scratch_ / "socket.wav").string();
  if (end >= 0 && place.size() < sizeof(name.sun_path)) {
    place.copy(name.sun_path, place.size());
    if (bind(end, reinterpret_cast<struct sockaddr*>(&name), sizeof(name)) == 0)
      ExpectAnswer(scratch_ / "socket.wav", absl::StatusCode::kInvalidArgument);
  }
  if (end >= 0) close(end);
  // Two links that point to each other, one to a pipe, and one to a folder of links.
  std::filesystem::create_symlink(scratch_ / "b.wav", scratch_ / "a.wav");
  std::filesystem::create_symlink(scratch_ / "a.wav", scratch_ / "b.wav");
  EXPECT_FALSE(LoadAudio(scratch_ / "a.wav").ok());
  ExpectAnswer(scratch_ / "a.wav", LoadAudio(scratch_ / "a.wav").status().code());
  std::filesystem::create_symlink(scratch_ / "pipe.wav", scratch_ / "link.wav");
  ExpectAnswer(scratch_ / "link.wav", absl::StatusCode::kInvalidArgument);
}

TEST_F(HostileFilesTest, AFileCutWhileItIsReadIsAnError) {
  testing::WriteBySndfile(scratch_ / "shrinks.wav", Sine(440, 4, 44100, 2), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  AudioReader reader = AudioReader::Open(scratch_ / "shrinks.wav").value();
  ASSERT_TRUE(reader.Read(1000).ok());
  std::filesystem::resize_file(scratch_ / "shrinks.wav", 200000);
  absl::Status told;
  for (int i = 0; i < 1000 && told.ok(); ++i) told = reader.Read(1000).status();
  EXPECT_EQ(told.code(), absl::StatusCode::kDataLoss) << told;
}

}  // namespace
}  // namespace grym
#endif
