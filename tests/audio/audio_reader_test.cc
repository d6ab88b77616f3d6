// Files read whole and in blocks: every format, the recordings with their truth, and the edges.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <sstream>

#ifndef _WIN32
#include <sys/resource.h>
#endif

#include "audio/audio_samples.h"
#include "audio/byte_order.h"
#include "base/json.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/error.h"
#include "support/scratch.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

using testing::Scratch;
using testing::Sine;

struct Format {
  const char* name;
  int format;
  const char* encoding;
  AudioContainer container;
  double tolerance;  // half a step of the coding, or what a lossy coder does to a sine of 0.5
};

class AudioFormatTest : public ::testing::TestWithParam<Format> {};

TEST_P(AudioFormatTest, IsReadWholeAndInBlocks) {
  Scratch scratch;
  const auto path = scratch / "file.bin";  // the name says nothing
  const AudioBuffer audio = Sine(440, 0.4, 48000, 2);
  testing::WriteBySndfile(path, audio, GetParam().format);
  const auto info = ProbeAudioFile(path);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->container, GetParam().container);
  EXPECT_EQ(info->encoding, GetParam().encoding);
  EXPECT_EQ(info->channels, 2);
  EXPECT_EQ(info->rate_hz, 48000);
  const auto whole = LoadAudio(path);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(info->frames, whole->frames());
  if (GetParam().container == AudioContainer::kMp3 || GetParam().container == AudioContainer::kOggOpus) {
    // These coders move phases and pad: level and length are what they keep.
    double was = 0, is = 0;
    for (const float sample : audio.planar()) was += sample * sample;
    for (const float sample : whole->planar()) is += sample * sample;
    EXPECT_NEAR(10 * std::log10(is / was), 0, 0.5);
    EXPECT_NEAR(static_cast<double>(whole->frames()), static_cast<double>(audio.frames()), 2400);
  } else {
    EXPECT_LE(testing::MaxDifference(audio, *whole), GetParam().tolerance);
  }
  for (const int64_t block_frames : {int64_t{777}, int64_t{1}, std::numeric_limits<int64_t>::max()}) {
    auto reader = AudioReader::Open(path);
    ASSERT_TRUE(reader.ok());
    AudioBuffer joined = AudioBuffer::Create(2, 0, 48000).value();
    const int64_t wanted = block_frames == 1 ? 50 : whole->frames();
    while (joined.frames() < wanted) {
      const auto block = reader->Read(block_frames);
      ASSERT_TRUE(block.ok()) << block.status();
      ASSERT_FALSE(block->empty());
      ASSERT_TRUE(joined.Append(*block).ok());
      EXPECT_EQ(reader->position(), joined.frames());
    }
    EXPECT_TRUE(testing::SameSamples(joined, whole->Slice(0, wanted)));
    if (block_frames == 1) continue;
    EXPECT_TRUE(reader->Read(10)->empty());
    ASSERT_TRUE(reader->Rewind().ok());
    EXPECT_TRUE(testing::SameSamples(reader->Read(100).value(), whole->Slice(0, 100)));
  }
}

constexpr AudioContainer kW = AudioContainer::kWav;
INSTANTIATE_TEST_SUITE_P(
    Formats, AudioFormatTest,
    ::testing::Values(
        Format{"wav_u8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, "pcm_u8", kW, 1.01 / 128},
        Format{"wav_16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, "pcm_16", kW, 1.01 / 32768},
        Format{"wav_24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, "pcm_24", kW, 2e-7},
        Format{"wav_32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, "pcm_32", kW, 1e-7},
        Format{"wav_float", SF_FORMAT_WAV | SF_FORMAT_FLOAT, "float_32", kW, 0},
        Format{"wav_double", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, "float_64", kW, 0},
        Format{"wav_alaw", SF_FORMAT_WAV | SF_FORMAT_ALAW, "a_law", kW, 0.02},
        Format{"wav_ulaw", SF_FORMAT_WAV | SF_FORMAT_ULAW, "mu_law", kW, 0.02},
        Format{"wavex", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, "pcm_16", kW, 1.01 / 32768},
        Format{"rifx", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, "pcm_16", kW, 1.01 / 32768},
        Format{"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_24, "pcm_24", AudioContainer::kRf64, 2e-7},
        Format{"aiff_8", SF_FORMAT_AIFF | SF_FORMAT_PCM_S8, "pcm_s8", AudioContainer::kAiff, 1.01 / 128},
        Format{"aiff_16", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "pcm_16", AudioContainer::kAiff, 1.01 / 32768},
        Format{"aiff_24", SF_FORMAT_AIFF | SF_FORMAT_PCM_24, "pcm_24", AudioContainer::kAiff, 2e-7},
        Format{"aiff_sowt", SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE, "pcm_16", AudioContainer::kAiff,
               1.01 / 32768},
        Format{"aiff_float", SF_FORMAT_AIFF | SF_FORMAT_FLOAT, "float_32", AudioContainer::kAiff, 0},
        Format{"aiff_double", SF_FORMAT_AIFF | SF_FORMAT_DOUBLE, "float_64", AudioContainer::kAiff, 0},
        Format{"aiff_ulaw", SF_FORMAT_AIFF | SF_FORMAT_ULAW, "mu_law", AudioContainer::kAiff, 0.02},
        Format{"flac_16", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "pcm_16", AudioContainer::kFlac, 1.01 / 32768},
        Format{"flac_24", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, "pcm_24", AudioContainer::kFlac, 2e-7},
        Format{"vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, "vorbis", AudioContainer::kOggVorbis, 0.1},
        Format{"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, "opus", AudioContainer::kOggOpus, 0.1},
        Format{"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, "mpeg_layer_3", AudioContainer::kMp3, 0.1}),
    [](const auto& format) { return std::string(format.param.name); });

// Frequency of the strongest sine, by the zero crossings of a stretch in the middle.
double FrequencyOf(const AudioBuffer& audio) {
  const auto samples = audio.channel(0);
  double first = -1, last = -1;
  int crossings = 0;
  for (size_t i = samples.size() / 4; i + 1 < samples.size() * 3 / 4; ++i) {
    if (!(samples[i] < 0 && samples[i + 1] >= 0)) continue;
    const double at = static_cast<double>(i) + samples[i] / (static_cast<double>(samples[i]) - samples[i + 1]);
    if (first < 0) first = at;
    last = at;
    ++crossings;
  }
  return (crossings - 1) * audio.rate_hz() / (last - first);
}

TEST(SharedDecodeTest, EveryFileGivesWhatItsTruthSays) {
  GRYM_NEED_SHARED_AUDIO();
  JsonLimits limits;
  limits.bytes = 16 << 20;
  const Json manifest = Json::Parse(testing::Bytes(testing::SharedAudio("manifest.json")), limits).value();
  int checked = 0;
  for (const Json& file : manifest.at("files").items()) {
    if (file.at("kind").text() != "decode") continue;
    ++checked;
    const std::string name = file.at("file").text();
    const Json& truth = file.at("truth").at("decode");
    const auto audio = LoadAudio(testing::SharedAudio(name));
    const std::string expect = truth.at("expect").text();
    if (expect.empty()) {
      ASSERT_TRUE(audio.ok()) << audio.status();
      EXPECT_EQ(audio->rate_hz(), truth.at("sample_rate").integer()) << name;
      EXPECT_EQ(audio->channels(), truth.at("channels").integer()) << name;
      const bool lossless = name.ends_with(".flac") || name.ends_with(".wav");
      EXPECT_NEAR(audio->duration_s(), truth.at("seconds").number(), lossless ? 0 : 0.06) << name;
      EXPECT_EQ(truth.at("signal").text(), "sine 440 Hz");
      EXPECT_NEAR(FrequencyOf(*audio), 440, 1) << name;
    } else if (expect == "decodes") {
      ASSERT_TRUE(audio.ok()) << audio.status();
      EXPECT_GT(audio->frames(), 0) << name;
    } else if (expect == "all zero") {
      ASSERT_TRUE(audio.ok()) << audio.status();
      EXPECT_GT(audio->frames(), 0);
      for (const float sample : audio->planar()) ASSERT_EQ(sample, 0);
    } else if (expect == "zero frames or a clear error" && audio.ok()) {
      EXPECT_EQ(audio->frames(), 0);
    } else {
      EXPECT_NE(expect.find("clear error"), std::string::npos) << "a truth that this test does not know: " << expect;
      EXPECT_FALSE(expect.rfind("clear error", 0) == 0 && audio.ok()) << name;
      if (audio.ok()) continue;
      EXPECT_EQ(audio.status().code(), absl::StatusCode::kDataLoss) << audio.status();
      EXPECT_NE(audio.status().message().find(std::filesystem::path(name).filename().string()), absl::string_view::npos)
          << audio.status();
    }
  }
  EXPECT_EQ(checked, 8);
}

TEST(SharedDecodeTest, EveryRecordingIsReadToItsDeclaredEnd) {
  GRYM_NEED_SHARED_AUDIO();
  int files = 0;
  for (const char* folder : {"real", "rendered", "conformance"}) {
    for (const auto& entry : std::filesystem::directory_iterator(testing::SharedAudio(folder))) {
      const auto info = ProbeAudioFile(entry.path());
      ASSERT_TRUE(info.ok()) << info.status();
      const auto audio = LoadAudio(entry.path());
      ASSERT_TRUE(audio.ok()) << audio.status();
      EXPECT_EQ(audio->frames(), info->frames) << entry.path();
      ++files;
    }
  }
  EXPECT_GT(files, 10);
}

TEST(AudioReaderTest, NonFiniteSamplesBecomeZeroAndAreCounted) {
  Scratch scratch;
  AudioBuffer audio = Sine(440, 0.1, 44100);
  audio.mutable_channel(0)[5] = std::numeric_limits<float>::quiet_NaN();
  audio.mutable_channel(0)[6] = std::numeric_limits<float>::infinity();
  audio.mutable_channel(0)[4000] = -std::numeric_limits<float>::infinity();
  testing::WriteBySndfile(scratch / "nan.wav", audio, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  AudioReader reader = AudioReader::Open(scratch / "nan.wav").value();
  const AudioBuffer read = reader.Read(100).value();
  EXPECT_EQ(reader.replaced_samples(), 2);
  EXPECT_EQ(read.channel(0)[5], 0);
  EXPECT_EQ(read.channel(0)[7], audio.channel(0)[7]);
  ASSERT_TRUE(reader.Read(100000).ok());
  EXPECT_EQ(reader.replaced_samples(), 3);
  ASSERT_TRUE(reader.Rewind().ok());
  EXPECT_EQ(reader.replaced_samples(), 0);
}

TEST(AudioReaderTest, EmptyAndOneFrame) {
  Scratch scratch;
  for (const int64_t frames : {0, 1}) {
    testing::WriteBySndfile(scratch / "few.wav", AudioBuffer::Create(2, frames, 8000).value(),
                            SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    const auto audio = LoadAudio(scratch / "few.wav");
    ASSERT_TRUE(audio.ok()) << audio.status();
    EXPECT_EQ(audio->frames(), frames);
    EXPECT_EQ(audio->channels(), 2);
    EXPECT_EQ(audio->rate_hz(), 8000);
  }
}

// The token is looked at before each block, so nothing is read after the callback that cancels.
TEST(AudioReaderTest, LoadingStopsAtTheBlockAtWhichItIsCancelled) {
  Scratch scratch;
  ASSERT_TRUE(SaveAudio(scratch / "a.wav", Sine(440, 25, 8000, 2)).ok());
  RunOptions run;
  int told = 0;
  run.progress = [&](const Progress& progress) {
    ++told;
    EXPECT_EQ(progress.stage, "read");
    run.cancel.Cancel();
  };
  EXPECT_EQ(LoadAudio(scratch / "a.wav", {}, run).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(told, 1);
  // Cancelled from the start: not even the name is looked at.
  EXPECT_EQ(LoadAudio(scratch / "none.wav", {}, run).status().code(), absl::StatusCode::kCancelled);
}

TEST(AudioReaderTest, AnErrorStaysTheAnswer) {
  Scratch scratch;
  const auto path = scratch / "cut.flac";
  AudioBuffer audio = Sine(440, 2, 44100);
  testing::WriteBySndfile(path, audio, SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
  testing::PutFile(path, testing::Bytes(path).substr(0, std::filesystem::file_size(path) / 2));
  AudioReader reader = AudioReader::Open(path).value();
  absl::Status failed;
  for (int i = 0; i < 1000 && failed.ok(); ++i) failed = reader.Read(1000).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(reader.Read(1000).status(), failed);
  EXPECT_EQ(reader.Rewind(), failed);
  EXPECT_EQ(reader.Read(0).status().code(), absl::StatusCode::kInvalidArgument);
}

#ifndef _WIN32
TEST(AudioReaderTest, BlocksOfALongFileStayWithinACeiling) {
  Scratch scratch;
  const auto path = scratch / "long.wav";
  // Twenty minutes of stereo float: 423 MB that the file system keeps as a hole.
  const int64_t frames = int64_t{20} * 60 * 44100;
  testing::WriteBySndfile(path, AudioBuffer::Create(2, 0, 44100).value(), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  std::string header = testing::Bytes(path).substr(0, 44);
  std::string size;
  PutLittleEndian(size, static_cast<uint64_t>(frames * 4), 4);
  header.replace(40, 4, size);
  testing::PutFile(path, header);
  std::filesystem::resize_file(path, static_cast<uintmax_t>(44 + frames * 4));
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  AudioReader reader = AudioReader::Open(path).value();
  int64_t read = 0;
  for (auto block = reader.Read(65536); !block->empty(); block = reader.Read(65536)) {
    ASSERT_TRUE(block.ok()) << block.status();
    read += block->frames();
  }
  getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(read, frames);
#ifndef __SANITIZE_ADDRESS__  // which keeps freed blocks for a while
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024);
#endif
}
#endif

}  // namespace
}  // namespace grym
