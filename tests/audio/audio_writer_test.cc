#include "audio/audio_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>

#include "audio/audio_samples.h"
#include "audio/byte_order.h"
#include "audio/quantizer.h"
#include "base/json.h"
#include "grymsynth/error.h"
#include "grymsynth/version.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Scratch;
using testing::Sine;

AudioMetadata FullMetadata() {
  AudioMetadata metadata;
  metadata.title = "Grüße & <Küsse> \"quoted\" 'single'";
  metadata.prompt = "lo-fi beat, 84 bpm, 夜の雨 🎧\nsecond line\r\nthird\ttabbed &amp; kept";
  metadata.seed = "18446744073709551615";
  metadata.model = "composer@1.0";
  metadata.licence = "CC-BY-4.0";
  metadata.parameters = R"({"tempo_bpm":84.5,"key":"F major","list":[1,2,3],"text":"</PARAMETERS>"})";
  metadata.software = "test software 1";
  return metadata;
}

void ExpectSame(const AudioMetadata& a, const AudioMetadata& b) {
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.prompt, b.prompt);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.licence, b.licence);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.software, b.software);
}

struct Written {
  const char* name;
  SampleFormat format;
  double step;  // of the quantizer; 0 for float
};

class WrittenTest : public ::testing::TestWithParam<Written> {};

TEST_P(WrittenTest, ReadsBackWithEverythingInIt) {
  Scratch scratch;
  const auto path = scratch / GetParam().name;
  for (const int channels : {1, 2, 3, 6}) {
    AudioBuffer audio = Sine(440, 0.3, 44100, channels);
    audio.mutable_channel(0)[7] = 1.0f;  // full scale, both ways
    audio.mutable_channel(0)[8] = -1.0f;
    SaveOptions options;
    options.format = GetParam().format;
    options.dither = false;
    options.metadata = FullMetadata();
    ASSERT_TRUE(SaveAudio(path, audio, options).ok()) << SaveAudio(path, audio, options);
    const auto info = ProbeAudioFile(path);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->channels, channels);
    EXPECT_EQ(info->frames, audio.frames());
    ExpectSame(info->metadata, options.metadata);
    const auto back = LoadAudio(path);
    ASSERT_TRUE(back.ok()) << back.status();
    const bool lossy = path.extension() == ".ogg";
    if (!lossy) {
      EXPECT_LE(testing::MaxDifference(audio, *back), GetParam().step * 1.0001) << channels;
    } else {
      EXPECT_EQ(audio.frames(), back->frames());
    }
    const std::string bytes = testing::Bytes(path);
    ASSERT_TRUE(SaveAudio(path, audio, options).ok());
    EXPECT_EQ(bytes, testing::Bytes(path)) << "same request, same bytes";
  }
}

TEST_P(WrittenTest, EmptyAndOneFrame) {
  Scratch scratch;
  const auto path = scratch / GetParam().name;
  for (const int64_t frames : {0, 1}) {
    SaveOptions options;
    options.format = GetParam().format;
    const AudioBuffer audio = AudioBuffer::Create(2, frames, 48000).value();
    ASSERT_TRUE(SaveAudio(path, audio, options).ok()) << SaveAudio(path, audio, options) << frames;
    const auto back = LoadAudio(path);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->frames(), frames);
    EXPECT_EQ(ProbeAudioFile(path)->metadata.software, std::string(SoftwareName()));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, WrittenTest,
                         ::testing::Values(Written{"a.wav", SampleFormat::kPcm16, 1.0 / 32768},
                                           Written{"b.wav", SampleFormat::kPcm24, 1.0 / 8388608},
                                           Written{"c.wav", SampleFormat::kFloat32, 0},
                                           Written{"d.flac", SampleFormat::kPcm16, 1.0 / 32768},
                                           Written{"e.flac", SampleFormat::kPcm24, 1.0 / 8388608},
                                           Written{"f.ogg", SampleFormat::kPcm16, 0}));

TEST(SaveAudioTest, TagsUpTo64KiBSurvive) {
  Scratch scratch;
  SaveOptions options;
  for (std::string AudioMetadata::* field :
       {&AudioMetadata::prompt, &AudioMetadata::parameters, &AudioMetadata::title}) {
    std::string& text = options.metadata.*field;
    while (text.size() + 4 <= 64 << 10) text += text.size() % 7 == 0 ? "<&é" : "word";
    text.resize(64 << 10, 'x');
  }
  options.metadata.software = "s";
  for (const char* name : {"a.wav", "a.flac", "a.ogg"}) {
    ASSERT_TRUE(SaveAudio(scratch / name, Sine(440, 0.1, 44100), options).ok()) << name;
    ExpectSame(ProbeAudioFile(scratch / name)->metadata, options.metadata);
    EXPECT_TRUE(LoadAudio(scratch / name).ok());
  }
  options.metadata.prompt += "x";
  const absl::Status told = SaveAudio(scratch / "long.wav", Sine(440, 0.1, 44100), options);
  EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(told.message().find("metadata.prompt"), absl::string_view::npos);
}

TEST(SaveAudioTest, RefusesWhatCannotBeWrittenAndLeavesTheOldFile) {
  Scratch scratch;
  const auto path = scratch / "keep.wav";
  testing::PutFile(path, "old");
  AudioBuffer audio = Sine(440, 0.01, 44100, 2);
  audio.mutable_channel(1)[3] = std::numeric_limits<float>::quiet_NaN();
  const absl::Status told = SaveAudio(path, audio);
  EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(told.message().find("channel 1 at frame 3"), absl::string_view::npos) << told;
  const AudioBuffer good = Sine(440, 0.01, 44100, 2);
  SaveOptions options;
  options.metadata.prompt = std::string("nul\0inside", 10);
  EXPECT_FALSE(SaveAudio(path, good, options).ok());
  options.metadata.prompt = "bad utf-8 \xff";
  EXPECT_FALSE(SaveAudio(path, good, options).ok());
  EXPECT_EQ(testing::Bytes(path), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1) << "no temporary file stays";

  options = SaveOptions();
  options.format = SampleFormat::kFloat32;
  EXPECT_EQ(SaveAudio(scratch / "a.flac", good, options).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SaveAudio(scratch / "a.flac", AudioBuffer::Create(9, 10, 44100).value()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(SaveAudio(scratch / "a.mp3", good)), "unknown_extension");
  options = SaveOptions();
  options.container = AudioContainer::kMp3;
  EXPECT_EQ(ErrorCode(SaveAudio(scratch / "a.wav", good, options)), "unwritable_container");
  options.container = AudioContainer::kOggVorbis;
  options.ogg_quality = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(ErrorCode(SaveAudio(scratch / "a.ogg", good, options)), "bad_ogg_quality");
  // A rate that the coder cannot take is told, not crashed on.
  EXPECT_EQ(SaveAudio(scratch / "a.flac", AudioBuffer::Create(1, 10, 768000).value()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
  EXPECT_FALSE(SaveAudio(scratch.path(), good,
                         [] {
                           SaveOptions o;
                           o.container = AudioContainer::kWav;
                           return o;
                         }())
                   .ok());
}

TEST(SaveAudioTest, CancelledItLeavesTheOldFileAndNothingElse) {
  Scratch scratch;
  RunOptions run;
  run.cancel.Cancel();
  for (const char* name : {"a.wav", "a.flac", "a.ogg"}) {
    testing::PutFile(scratch / name, "old");
    EXPECT_EQ(SaveAudio(scratch / name, Sine(440, 1, 44100), {}, run).code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(testing::Bytes(scratch / name), "old");
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path())) files += entry.is_regular_file();
  EXPECT_EQ(files, 3);
}

TEST(SaveAudioTest, SamplesBeyondFullScaleAreClipped) {
  Scratch scratch;
  const AudioBuffer loud = AudioBuffer::FromPlanar({2, -2, 1, -1}, 1, 44100).value();
  for (const bool dither : {false, true}) {
    SaveOptions options;
    options.dither = dither;
    ASSERT_TRUE(SaveAudio(scratch / "loud.wav", loud, options).ok());
    const AudioBuffer back = LoadAudio(scratch / "loud.wav").value();
    EXPECT_EQ(back.planar()[0], 32767.0f / 32768);
    EXPECT_EQ(back.planar()[1], -1);
  }
  SaveOptions options;
  options.format = SampleFormat::kFloat32;
  ASSERT_TRUE(SaveAudio(scratch / "loud.wav", loud, options).ok());
  EXPECT_TRUE(testing::SameSamples(LoadAudio(scratch / "loud.wav").value(), loud));
}

TEST(SaveAudioTest, LayoutIsStrict) {
  Scratch scratch;
  SaveOptions options;
  options.metadata = FullMetadata();
  ASSERT_TRUE(SaveAudio(scratch / "a.wav", Sine(440, 0.011, 44100), options).ok());
  const std::string bytes = testing::Bytes(scratch / "a.wav");
  EXPECT_EQ(LittleEndian(bytes, 4, 4) + 8, bytes.size());
  std::string order;
  size_t at = 12;
  while (at + 8 <= bytes.size()) {
    order += bytes.substr(at, 4) + " ";
    const size_t length = LittleEndian(bytes, at + 4, 4);
    at += 8 + length + length % 2;
    EXPECT_EQ(at % 2, 0u);
  }
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(order, "bext fmt  LIST iXML data ");
}

TEST(WavHeaderTest, Rf64BeginsWhereFourGibibytesEnd) {
  const AudioMetadata metadata;
  const int64_t overhead = static_cast<int64_t>(WavHeader(metadata, SampleFormat::kPcm16, 1, 44100, 0).size()) - 8;
  const int64_t most = (0xffffffffLL - overhead) / 2;  // mono, 16 bit
  const std::string last = WavHeader(metadata, SampleFormat::kPcm16, 1, 44100, most);
  EXPECT_EQ(last.substr(0, 4), "RIFF");
  const std::string first = WavHeader(metadata, SampleFormat::kPcm16, 1, 44100, most + 1);
  EXPECT_EQ(first.substr(0, 4), "RF64");
  EXPECT_EQ(first.substr(12, 4), "ds64");
  EXPECT_EQ(LittleEndian(first, 28, 8), static_cast<uint64_t>(2 * (most + 1)));
  EXPECT_EQ(LittleEndian(first, 20, 8), first.size() - 8 + static_cast<uint64_t>(2 * (most + 1)));
}

TEST(WavHeaderTest, AnRf64OfOursIsReadBack) {
  Scratch scratch;
  // The samples are a hole in the file; only its header takes room.
  const int64_t frames = (int64_t{1} << 31) + 1000;
  const std::string header = WavHeader(AudioMetadata(), SampleFormat::kPcm16, 1, 44100, frames);
  testing::PutFile(scratch / "big.wav", header);
  std::error_code error;
  std::filesystem::resize_file(scratch / "big.wav", header.size() + static_cast<uintmax_t>(2 * frames), error);
  if (error) GTEST_SKIP() << "the file system keeps no file of 4 GiB with a hole: " << error.message();
  AudioLimits limits;
  EXPECT_EQ(ProbeAudioFile(scratch / "big.wav", limits).status().code(), absl::StatusCode::kResourceExhausted);
  limits.file_bytes = int64_t{1} << 40;
  const auto info = ProbeAudioFile(scratch / "big.wav", limits);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->container, AudioContainer::kRf64);
  EXPECT_EQ(info->frames, frames);
  AudioReader reader = AudioReader::Open(scratch / "big.wav", limits).value();
  EXPECT_EQ(reader.Read(1000)->frames(), 1000);
}

TEST(QuantizerTest, ErrorsAreTriangularAndFreeOfTheSignal) {
  // A constant a quarter step up: without dither it would be lost, with it the mean shows it.
  AudioBuffer audio = AudioBuffer::Create(1, 400000, 44100).value();
  for (float& sample : audio.mutable_planar()) sample = 0.25f / 32768;
  for (const uint64_t seed : {1, 2}) {
    Quantizer quantizer(audio, 16, true, seed);
    std::vector<int32_t> values(400000);
    quantizer.Next(values);
    double mean = 0, square = 0;
    int32_t largest = 0;
    for (const int32_t value : values) {
      mean += value / 400000.0;
      square += std::pow(value - 0.25, 2) / 400000;
      largest = std::max(largest, std::abs(value));
    }
    EXPECT_NEAR(mean, 0.25, 0.01);    // five deviations of the mean of 400,000 draws
    EXPECT_NEAR(square, 0.25, 0.01);  // 1/6 by the dither and 1/12 by the steps
    EXPECT_LE(largest, 1);
  }
  std::vector<int32_t> plain(400000);
  Quantizer(audio, 16, false, 0).Next(plain);
  for (const int32_t value : plain) ASSERT_EQ(value, 0);
}

TEST(QuantizerTest, SeedsDecideAndLongSilenceStaysSilent) {
  AudioBuffer audio = Sine(440, 1, 44100);
  for (int64_t i = 10000; i < 20000; ++i) audio.mutable_channel(0)[static_cast<size_t>(i)] = 0;
  for (int64_t i = 30000; i < 30000 + Quantizer::kSilentRunFrames - 1; ++i)
    audio.mutable_channel(0)[static_cast<size_t>(i)] = 0;
  const auto run = [&](uint64_t seed, int64_t step) {
    Quantizer quantizer(audio, 16, true, seed);
    std::vector<int32_t> values;
    for (int64_t at = 0; at < audio.frames(); at += step) {
      std::vector<int32_t> part(static_cast<size_t>(std::min(step, audio.frames() - at)));
      quantizer.Next(part);
      values.insert(values.end(), part.begin(), part.end());
    }
    return values;
  };
  const std::vector<int32_t> a = run(1, 44100);
  EXPECT_EQ(a, run(1, 77));
  EXPECT_NE(a, run(2, 44100));
  for (size_t i = 10001; i < 20000; ++i) ASSERT_EQ(a[i], 0);
  int moved = 0;  // a short rest inside music is dithered like the music
  for (size_t i = 30001; i < 31000; ++i) moved += a[i] != 0;
  EXPECT_GT(moved, 100);
}

// What a program prints; empty if it is not there.
std::string Output(const std::string& command) {
  std::string text;
#ifndef _WIN32
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen((command + " 2>/dev/null").c_str(), "r"), &pclose);
  char buffer[4096];
  size_t got = 0;
  while (pipe && (got = std::fread(buffer, 1, sizeof(buffer), pipe.get())) > 0) text.append(buffer, got);
#endif
  return text;
}

TEST(SaveAudioTest, FfprobeReadsTheTags) {
  if (Output("ffprobe -version").empty()) GTEST_SKIP() << "ffprobe is not on the path";
  Scratch scratch;
  SaveOptions options;
  options.metadata = FullMetadata();
  options.metadata.prompt = "rain & night";  // one line, as ffprobe shows it
  const AudioBuffer audio = Sine(440, 0.5, 44100, 2);
  for (const std::string name : {"a.wav", "a.flac", "a.ogg"}) {
    ASSERT_TRUE(SaveAudio(scratch / name, audio, options).ok());
    EXPECT_EQ(Output("ffprobe -v warning -show_error '" + (scratch / name).string() + "' 2>&1"), "") << "no warnings";
    const Json shown = Json::Parse(Output("ffprobe -v quiet -print_format json -show_format -show_streams '" +
                                          (scratch / name).string() + "'"))
                           .value();
    const Json& tags = name == "a.ogg" ? shown.at("streams").at(size_t{0}).at("tags") : shown.at("format").at("tags");
    const auto tag = [&](const char* one, const char* other) {
      return tags.contains(one) ? tags.at(one).text() : tags.at(other).text();
    };
    EXPECT_EQ(tag("title", "TITLE"), options.metadata.title) << name << tags.Dump(1);
    EXPECT_EQ(tag("comment", "PROMPT"), options.metadata.prompt) << name << tags.Dump(1);
    EXPECT_EQ(tag("copyright", "LICENSE"), options.metadata.licence) << name << tags.Dump(1);
    EXPECT_EQ(tag("artist", "MODEL"), options.metadata.model) << name;
    EXPECT_EQ(shown.at("streams").at(size_t{0}).at("sample_rate").text(), "44100");
    EXPECT_NEAR(std::atof(shown.at("format").at("duration").text().c_str()), 0.5, 1e-3);
    if (name == "a.wav") {
      EXPECT_EQ(tag("ISBJ", "isbj"), options.metadata.parameters) << tags.Dump(1);
      EXPECT_EQ(tag("IKEY", "ikey"), options.metadata.seed);
    } else {
      EXPECT_EQ(tag("PARAMETERS", "parameters"), options.metadata.parameters);
      EXPECT_EQ(tag("SEED", "seed"), options.metadata.seed);
    }
  }
}

TEST(SaveAudioTest, ExiftoolReadsTheTags) {
  if (Output("exiftool -ver").empty()) GTEST_SKIP() << "exiftool is not on the path";
  Scratch scratch;
  SaveOptions options;
  options.metadata = FullMetadata();
  options.metadata.prompt = "rain & night";
  ASSERT_TRUE(SaveAudio(scratch / "a.wav", Sine(440, 0.5, 44100, 2), options).ok());
  const Json shown =
      Json::Parse(Output("exiftool -json -charset riff=UTF8 '" + (scratch / "a.wav").string() + "'")).value();
  const Json& tags = shown.at(size_t{0});
  EXPECT_EQ(tags.at("Title").text(), options.metadata.title) << tags.Dump(1);
  EXPECT_EQ(tags.at("Comment").text(), "rain & night");
  EXPECT_EQ(tags.at("Description").text(), "rain & night");  // bext
  EXPECT_EQ(tags.at("Originator").text(), "test software 1");
  EXPECT_EQ(tags.at("Copyright").text(), "CC-BY-4.0");
  EXPECT_FALSE(tags.contains("Error"));
  EXPECT_FALSE(tags.contains("Warning")) << tags.Dump(1);
}

}  // namespace
}  // namespace grym
