#include "audio/stream_header.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/stat.h>
#endif

#include "audio/audio_samples.h"
#include "audio/byte_order.h"
#include "base/random.h"
#include "grymsynth/error.h"
#include "support/scratch.h"

// libsndfile 1.2 forgets Vorbis' and Ogg's state when a broken OGG fails to open. Nothing else may leak.
extern "C" const char* __lsan_default_suppressions() { return "leak:vorbis_\nleak:ogg_\n"; }

namespace grym {
namespace {

using testing::PutFile;
using testing::Scratch;
using testing::Sine;

// Header, then the whole file: both must answer the same error, quickly, naming the file.
absl::Status Told(const std::filesystem::path& path, const AudioLimits& limits = {}) {
  const auto started = std::chrono::steady_clock::now();
  const absl::Status loaded = LoadAudio(path, limits).status();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  EXPECT_LT(took.count(), 2.0 * 5) << path;  // a sanitizer may cost five times
  if (!loaded.ok()) {
    EXPECT_NE(loaded.message().find(path.filename().string()), absl::string_view::npos) << loaded;
  }
  return loaded;
}

struct Container {
  const char* name;
  int format;
};

std::string WavBytes(const AudioBuffer& audio, int format, const std::filesystem::path& path) {
  testing::WriteBySndfile(path, audio, format);
  return testing::Bytes(path);
}

class CutFileTest : public ::testing::TestWithParam<Container> {};

TEST_P(CutFileTest, IsDataLossAtEveryPlaceAndWholeOtherwise) {
  Scratch scratch;
  const auto path = scratch / "cut.audio";
  // Noise, so that no stretch of the file is without weight.
  AudioBuffer audio = Sine(440, 0.5, 48000, 2);
  Random random(7);
  for (float& sample : audio.mutable_planar()) sample += static_cast<float>(random.Uniform(-0.2, 0.2));
  const std::string whole = WavBytes(audio, GetParam().format, path);
  ASSERT_TRUE(Told(path).ok()) << Told(path);
  std::vector<size_t> cuts;
  for (size_t i = 0; i < 120 && i < whole.size(); ++i) cuts.push_back(i);
  for (int i = 0; i < 30; ++i) cuts.push_back(static_cast<size_t>(random.Below(static_cast<int64_t>(whole.size()))));
  for (size_t i = 1; i < 12; ++i) cuts.push_back(whole.size() - i);
  for (const size_t cut : cuts) {
    PutFile(path, whole.substr(0, cut));
    const absl::Status told = Told(path);
    const bool header_only = cut < 12;  // too short to say even what it was
    const bool clear = told.code() == absl::StatusCode::kDataLoss ||
                       (header_only && told.code() == absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(clear) << GetParam().name << " cut at " << cut << " of " << whole.size() << ": " << told;
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, CutFileTest,
                         ::testing::Values(Container{"wav16", SF_FORMAT_WAV | SF_FORMAT_PCM_16},
                                           Container{"wavfloat", SF_FORMAT_WAV | SF_FORMAT_FLOAT},
                                           Container{"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_24},
                                           Container{"aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16},
                                           Container{"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
                                           Container{"vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
                                           Container{"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},
                                           Container{"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}),
                         [](const auto& container) { return container.param.name; });

TEST(StreamHeaderTest, RandomDamageNeverCrashesOrHangs) {
  Scratch scratch;
  Random random(11);
  const AudioBuffer audio = Sine(440, 0.3, 44100, 2);
  for (const int format : {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_AIFF | SF_FORMAT_PCM_24,
                           SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_VORBIS}) {
    const std::string whole = WavBytes(audio, format, scratch / "whole");
    for (int round = 0; round < 150; ++round) {
      std::string bytes = whole;
      for (int64_t i = random.Below(6); i >= 0; --i) {
        // Half of the hits on the first 200 bytes, where the headers are.
        const int64_t span = random.Chance(0.5) ? 200 : static_cast<int64_t>(bytes.size());
        bytes[static_cast<size_t>(random.Below(std::min<int64_t>(span, static_cast<int64_t>(bytes.size()))))] =
            static_cast<char>(random.Below(256));
      }
      PutFile(scratch / "damaged", bytes);
      const absl::Status told = Told(scratch / "damaged");
      EXPECT_NE(told.code(), absl::StatusCode::kInternal) << told;
    }
  }
}

TEST(StreamHeaderTest, OtherKindsNeverReachTheDecoder) {
  Scratch scratch;
  const AudioBuffer audio = Sine(440, 0.1, 44100);
  for (const int format :
       {SF_FORMAT_AU | SF_FORMAT_PCM_16, SF_FORMAT_CAF | SF_FORMAT_PCM_16, SF_FORMAT_VOC | SF_FORMAT_PCM_16,
        SF_FORMAT_MAT4 | SF_FORMAT_PCM_16, SF_FORMAT_PAF | SF_FORMAT_PCM_16, SF_FORMAT_HTK | SF_FORMAT_PCM_16,
        SF_FORMAT_W64 | SF_FORMAT_PCM_16, SF_FORMAT_SVX | SF_FORMAT_PCM_16, SF_FORMAT_IRCAM | SF_FORMAT_PCM_16}) {
    testing::WriteBySndfile(scratch / "disguised.wav", audio, format);
    const absl::Status told = Told(scratch / "disguised.wav");
    EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument) << std::hex << format << told;
    EXPECT_EQ(ErrorCode(told), "not_audio");
  }
  for (const std::string text :
       {"", "x", "hello, this is no audio at all", "{\"a\": 1}", "\xff\xfe\x41\x00\x42\x00\x43\x00"}) {
    PutFile(scratch / "text.mp3", text);
    EXPECT_EQ(ErrorCode(Told(scratch / "text.mp3")), "not_audio") << text;
  }
}

TEST(StreamHeaderTest, CodingsThatAreNotReadAreNamed) {
  Scratch scratch;
  const AudioBuffer audio = Sine(440, 0.2, 8000);
  for (const int format :
       {SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, SF_FORMAT_WAV | SF_FORMAT_GSM610}) {
    testing::WriteBySndfile(scratch / "adpcm.wav", audio, format);
    EXPECT_EQ(ErrorCode(Told(scratch / "adpcm.wav")), "unsupported_audio") << std::hex << format;
  }
}

#ifndef _WIN32
TEST(StreamHeaderTest, PipesDevicesFoldersAndLinksDoNotBlock) {
  Scratch scratch;
  ASSERT_EQ(mkfifo((scratch / "pipe.wav").c_str(), 0600), 0);
  EXPECT_EQ(Told(scratch / "pipe.wav").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Told("/dev/zero").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Told(scratch.path()).code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::create_symlink(scratch / "nowhere", scratch / "dangling.wav");
  EXPECT_EQ(Told(scratch / "dangling.wav").code(), absl::StatusCode::kNotFound);
  std::filesystem::create_symlink(scratch / "loop.wav", scratch / "loop.wav");
  EXPECT_FALSE(Told(scratch / "loop.wav").ok());
  EXPECT_EQ(Told(scratch / "absent.wav").code(), absl::StatusCode::kNotFound);
  // A link to a good file is a good name for it.
  testing::WriteBySndfile(scratch / "good.wav", Sine(440, 0.1, 44100), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  std::filesystem::create_symlink(scratch / "good.wav", scratch / "link.wav");
  EXPECT_TRUE(Told(scratch / "link.wav").ok());
}

int64_t PeakKilobytes() {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(StreamHeaderTest, LyingSizesTakeNoMemory) {
  Scratch scratch;
  const auto path = scratch / "lying.audio";
  const std::string wav = WavBytes(Sine(440, 0.2, 44100, 2), SF_FORMAT_WAV | SF_FORMAT_PCM_16, path);
  const std::string flac = WavBytes(Sine(440, 0.2, 44100, 2), SF_FORMAT_FLAC | SF_FORMAT_PCM_16, path);
  const std::string aiff = WavBytes(Sine(440, 0.2, 44100, 2), SF_FORMAT_AIFF | SF_FORMAT_PCM_16, path);
  const int64_t before = PeakKilobytes();
  std::string bytes = wav;
  for (const uint32_t size : {0xffffffffu, 0x7fffffffu, 0x80000000u, 100000000u}) {
    std::string field;
    PutLittleEndian(field, size, 4);
    bytes = wav;
    bytes.replace(bytes.find("data") + 4, 4, field);
    PutFile(path, bytes);
    const bool unknown = size != 100000000u;  // what a pipe leaves behind
    EXPECT_EQ(Told(path).code(), unknown ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss) << size;
    bytes = wav;
    bytes.replace(4, 4, field);
    PutFile(path, bytes);
    EXPECT_EQ(Told(path).code(), absl::StatusCode::kDataLoss) << size;
  }
  // AIFF: COMM with more frames than SSND has bytes.
  bytes = aiff;
  bytes.replace(bytes.find("COMM") + 10, 4, "\x7f\xff\xff\xff");
  PutFile(path, bytes);
  EXPECT_EQ(Told(path).code(), absl::StatusCode::kDataLoss);
  // FLAC: 36 bits of frames. 2^26 frames of stereo are below the limit of decoded bytes, so only counting shows the
  // lie.
  for (const uint64_t frames : {uint64_t{1} << 26, uint64_t{8821}, uint64_t{8819}, uint64_t{1}}) {
    bytes = flac;
    std::string field;
    PutBigEndian(field, (BigEndian(bytes, 18, 8) >> 36 << 36) | frames, 8);
    bytes.replace(18, 8, field);
    PutFile(path, bytes);
    EXPECT_EQ(Told(path).code(), absl::StatusCode::kDataLoss) << frames << Told(path);
  }
  EXPECT_LT(PeakKilobytes() - before, 200 * 1024);
}

TEST(StreamHeaderTest, BombsAreRefusedWithoutBeingKept) {
  Scratch scratch;
  const auto path = scratch / "bomb.flac";
  const AudioBuffer silence = AudioBuffer::Create(2, 44100 * 60, 44100).value();
  const std::string flac = WavBytes(silence, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, path);
  AudioLimits limits;
  limits.decoded_bytes = 8 << 20;  // 21 MB are in there
  EXPECT_EQ(Told(path, limits).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCode(Told(path, limits)), "audio_too_long");
  // Without a declared length it must be counted.
  std::string bytes = flac;
  std::string field;
  PutBigEndian(field, BigEndian(bytes, 18, 8) >> 36 << 36, 8);
  bytes.replace(18, 8, field);
  PutFile(path, bytes);
  const auto probed = ProbeAudioFile(path);
  ASSERT_TRUE(probed.ok()) << probed.status();
  EXPECT_EQ(probed->frames, -1);
  EXPECT_EQ(Told(path, limits).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(LoadAudio(path).value().frames(), silence.frames());
  // Read in blocks there is no limit.
  AudioReader reader = AudioReader::Open(path, limits).value();
  int64_t frames = 0;
  for (auto block = reader.Read(100000).value(); !block.empty(); block = reader.Read(100000).value())
    frames += block.frames();
  EXPECT_EQ(frames, silence.frames());
  // OGG and MP3 of silence.
  testing::WriteBySndfile(scratch / "bomb.ogg", silence, SF_FORMAT_OGG | SF_FORMAT_VORBIS);
  EXPECT_EQ(Told(scratch / "bomb.ogg", limits).code(), absl::StatusCode::kResourceExhausted);
  testing::WriteBySndfile(scratch / "bomb.mp3", silence, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III);
  EXPECT_EQ(Told(scratch / "bomb.mp3", limits).code(), absl::StatusCode::kResourceExhausted);
}
#endif

TEST(StreamHeaderTest, FileLimitIsToldWithBothNumbers) {
  Scratch scratch;
  testing::WriteBySndfile(scratch / "a.wav", Sine(440, 0.1, 44100), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  const auto size = static_cast<int64_t>(std::filesystem::file_size(scratch / "a.wav"));
  AudioLimits limits;
  limits.file_bytes = size;
  EXPECT_TRUE(Told(scratch / "a.wav", limits).ok());
  limits.file_bytes = size - 1;
  const absl::Status told = Told(scratch / "a.wav", limits);
  EXPECT_EQ(told.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(told.message().find(std::to_string(size)), absl::string_view::npos);
  EXPECT_NE(told.message().find(std::to_string(size - 1)), absl::string_view::npos);
  limits = AudioLimits{};
  limits.decoded_bytes = 4410 * 4;
  EXPECT_TRUE(Told(scratch / "a.wav", limits).ok());
  limits.decoded_bytes = 4410 * 4 - 1;
  EXPECT_EQ(Told(scratch / "a.wav", limits).code(), absl::StatusCode::kResourceExhausted);
}

// A WAV header of one's own making: format tag, channels, rate, bytes a frame, bits.
std::string RawWav(int tag, int channels, uint32_t rate_hz, int block, int bits, size_t data_bytes) {
  std::string body = "WAVEfmt ";
  PutLittleEndian(body, 16, 4);
  PutLittleEndian(body, static_cast<uint64_t>(tag), 2);
  PutLittleEndian(body, static_cast<uint64_t>(channels), 2);
  PutLittleEndian(body, rate_hz, 4);
  PutLittleEndian(body, rate_hz * static_cast<uint32_t>(block), 4);
  PutLittleEndian(body, static_cast<uint64_t>(block), 2);
  PutLittleEndian(body, static_cast<uint64_t>(bits), 2);
  body += "data";
  PutLittleEndian(body, data_bytes, 4);
  body += std::string(data_bytes, '\0');
  std::string file = "RIFF";
  PutLittleEndian(file, body.size(), 4);
  return file + body;
}

TEST(StreamHeaderTest, ShapeLimitsHoldOnBothSides) {
  Scratch scratch;
  const auto told = [&](const std::string& bytes) {
    PutFile(scratch / "shape.wav", bytes);
    return Told(scratch / "shape.wav");
  };
  EXPECT_TRUE(told(RawWav(1, 1, 44100, 2, 16, 20)).ok());
  EXPECT_TRUE(told(RawWav(1, 32, 44100, 64, 16, 640)).ok()) << told(RawWav(1, 32, 44100, 64, 16, 640));
  EXPECT_EQ(told(RawWav(1, 33, 44100, 66, 16, 660)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(told(RawWav(1, 0, 44100, 2, 16, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(told(RawWav(1, 1, 1000, 2, 16, 20)).ok());
  EXPECT_EQ(told(RawWav(1, 1, 999, 2, 16, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(told(RawWav(1, 1, 768000, 2, 16, 20)).ok());
  EXPECT_EQ(told(RawWav(1, 1, 768001, 2, 16, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(told(RawWav(1, 1, 1000000000, 2, 16, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(told(RawWav(1, 2, 44100, 0, 16, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(told(RawWav(1, 2, 44100, 4, 24, 20)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(told(RawWav(1, 1, 44100, 2, 16, 21)).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(told(RawWav(1, 1, 44100, 2, 16, 0)).ok());
}

// Size fields as ffmpeg, sox and arecord write them to a pipe, and as a recorder leaves them that never came back.
TEST(StreamHeaderTest, AWavOfUnknownSizeReachesToTheEnd) {
  Scratch scratch;
  const auto path = scratch / "pipe.wav";
  const AudioBuffer audio = Sine(440, 0.2, 44100, 2);
  const std::string wav = WavBytes(audio, SF_FORMAT_WAV | SF_FORMAT_PCM_16, path);
  const AudioBuffer whole = LoadAudio(path).value();
  const size_t data = wav.find("data");
  const auto with_sizes = [&](uint32_t riff, uint32_t size, const std::string& rest) {
    std::string riff_field, data_field;
    PutLittleEndian(riff_field, riff, 4);
    PutLittleEndian(data_field, size, 4);
    std::string bytes = wav;
    bytes.replace(4, 4, riff_field).replace(data + 4, 4, data_field);
    PutFile(path, bytes.substr(0, data + 8) + rest);
    return LoadAudio(path);
  };
  const std::string samples = wav.substr(data + 8);
  for (const auto& [riff, size] :
       std::vector<std::pair<uint32_t, uint32_t>>{{0xffffffff, 0xffffffff},
                                                  {0xffffffff, 0xffffffdb},
                                                  {0x7ffff024, 0x7ffff000},
                                                  {0x80000024, 0x80000000},
                                                  {0, 0},
                                                  {36, 0},
                                                  {static_cast<uint32_t>(wav.size() - 8), 0}}) {
    const auto read = with_sizes(riff, size, samples);
    ASSERT_TRUE(read.ok()) << size << ": " << read.status();
    EXPECT_TRUE(testing::SameSamples(*read, whole)) << size;
    EXPECT_EQ(ProbeAudioFile(path)->frames, whole.frames());
    // Stopped within a frame.
    const auto stopped = with_sizes(riff, size, samples.substr(0, samples.size() - 3));
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->frames(), whole.frames() - 1);
    // Silence is no chunk either.
    EXPECT_EQ(with_sizes(riff, size, std::string(4000, '\0'))->frames(), 1000);
    // Nothing follows: an empty file.
    const auto empty = with_sizes(riff == 0x7ffff024 || riff == 0x80000024 ? 36 : riff, size, "");
    if (size == 0 && riff <= 36) {
      ASSERT_TRUE(empty.ok()) << empty.status();
      EXPECT_EQ(empty->frames(), 0);
    }
  }
  // An empty file with a chunk behind is empty still.
  const auto tagged = with_sizes(0, 0, std::string("LIST\x04\0\0\0INFO", 12));
  ASSERT_TRUE(tagged.ok()) << tagged.status();
  EXPECT_EQ(tagged->frames(), 0);
}

TEST(StreamHeaderTest, AnRf64OfUnknownSizeReachesToTheEnd) {
  Scratch scratch;
  const auto path = scratch / "pipe.wav";
  const std::string rf64 = WavBytes(Sine(440, 0.2, 44100, 2), SF_FORMAT_RF64 | SF_FORMAT_PCM_24, path);
  const AudioBuffer whole = LoadAudio(path).value();
  for (const char filler : {'\0', '\xff'}) {
    std::string bytes = rf64;
    bytes.replace(bytes.find("ds64") + 16, 8, 8, filler);
    PutFile(path, bytes);
    const auto read = LoadAudio(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(testing::SameSamples(*read, whole));
  }
}

}  // namespace
}  // namespace grym
