// Files that hold more than one stream, and streams that do not say how long they are.
#include "audio/sound_decoder.h"

#include <gtest/gtest.h>

#include "audio/audio_samples.h"
#include "base/random.h"
#include "grymsynth/error.h"
#include "support/scratch.h"

// libsndfile 1.2 forgets Vorbis' and Ogg's state when a broken OGG fails to open. Nothing else may leak: the other test
// of this room that opens broken ones says so for the whole program.

namespace grym {
namespace {

using testing::PutFile;
using testing::SameSamples;
using testing::Scratch;
using testing::Sine;

constexpr int kVorbis = SF_FORMAT_OGG | SF_FORMAT_VORBIS, kOpus = SF_FORMAT_OGG | SF_FORMAT_OPUS;
constexpr int kMp3 = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;

// The bytes of a coded file, and what it decodes to on its own.
struct Coded {
  std::string bytes;
  AudioBuffer audio;
};

Coded CodedBy(const Scratch& scratch, const AudioBuffer& audio, int format) {
  const auto path = scratch / "single";
  testing::WriteBySndfile(path, audio, format);
  const auto decoded = LoadAudio(path);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return {testing::Bytes(path), decoded.value_or(AudioBuffer())};
}

AudioBuffer Joined(const std::vector<Coded>& parts) {
  AudioBuffer joined = parts[0].audio;
  for (size_t i = 1; i < parts.size(); ++i) EXPECT_TRUE(joined.Append(parts[i].audio).ok());
  return joined;
}

// Probed, whole, in blocks, and again after a rewind: the same.
void ExpectFileIs(const std::filesystem::path& path, const AudioBuffer& want) {
  const auto info = ProbeAudioFile(path);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->frames, want.frames());
  const auto whole = LoadAudio(path);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_EQ(whole->frames(), want.frames());
  EXPECT_TRUE(SameSamples(*whole, want));
  auto reader = AudioReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  for (int round = 0; round < 2; ++round) {
    AudioBuffer blocks = AudioBuffer::Create(want.channels(), 0, want.rate_hz()).value();
    for (auto block = reader->Read(5000); !block->empty(); block = reader->Read(5000)) {
      ASSERT_TRUE(block.ok()) << block.status();
      ASSERT_TRUE(blocks.Append(*block).ok());
    }
    EXPECT_TRUE(SameSamples(blocks, want));
    ASSERT_TRUE(reader->Rewind().ok());
  }
}

TEST(JoinedOggTest, EveryLinkIsRead) {
  for (const int format : {kVorbis, kOpus}) {
    Scratch scratch;
    const Coded a = CodedBy(scratch, Sine(440, 0.7, 48000, 2), format);
    const Coded b = CodedBy(scratch, Sine(660, 0.3, 48000, 2), format);
    PutFile(scratch / "chain.ogg", a.bytes + b.bytes + a.bytes);
    ExpectFileIs(scratch / "chain.ogg", Joined({a, b, a}));
    PutFile(scratch / "twice.ogg", a.bytes + a.bytes);  // the same serial number again, which cat leaves behind
    ExpectFileIs(scratch / "twice.ogg", Joined({a, a}));
    PutFile(scratch / "junk.ogg", a.bytes + "some bytes that are no page" + b.bytes + "and at the end");
    ExpectFileIs(scratch / "junk.ogg", Joined({a, b}));
  }
}

TEST(JoinedOggTest, OpusLinksDecodeAtTheRateOfTheFirst) {
  Scratch scratch;
  const Coded low = CodedBy(scratch, Sine(440, 0.5, 24000), kOpus);
  const Coded high = CodedBy(scratch, Sine(660, 0.25, 48000), kOpus);
  ASSERT_EQ(low.audio.rate_hz(), 24000);
  PutFile(scratch / "chain.opus", low.bytes + high.bytes);
  const auto audio = LoadAudio(scratch / "chain.opus");
  ASSERT_TRUE(audio.ok()) << audio.status();
  EXPECT_EQ(audio->rate_hz(), 24000);
  EXPECT_NEAR(audio->duration_s(), low.audio.duration_s() + high.audio.duration_s(), 1e-3);
  EXPECT_TRUE(SameSamples(audio->Slice(0, low.audio.frames()), low.audio));
}

TEST(JoinedOggTest, LinksOfAnotherShapeAreNamed) {
  Scratch scratch;
  const Coded first = CodedBy(scratch, Sine(440, 0.2, 48000, 2), kVorbis);
  const auto told = [&](const Coded& second) {
    PutFile(scratch / "mixed.ogg", first.bytes + second.bytes);
    EXPECT_EQ(ProbeAudioFile(scratch / "mixed.ogg").status(), LoadAudio(scratch / "mixed.ogg").status());
    return LoadAudio(scratch / "mixed.ogg").status();
  };
  const absl::Status rate = told(CodedBy(scratch, Sine(440, 0.2, 44100, 2), kVorbis));
  EXPECT_EQ(rate.code(), absl::StatusCode::kUnimplemented) << rate;
  EXPECT_NE(rate.message().find("2 channels at 44100 Hz"), absl::string_view::npos) << rate;
  const absl::Status channels = told(CodedBy(scratch, Sine(440, 0.2, 48000, 1), kVorbis));
  EXPECT_EQ(channels.code(), absl::StatusCode::kUnimplemented) << channels;
  const absl::Status codec = told(CodedBy(scratch, Sine(440, 0.2, 48000, 2), kOpus));
  EXPECT_EQ(codec.code(), absl::StatusCode::kUnimplemented) << codec;
  EXPECT_NE(codec.message().find("opus"), absl::string_view::npos) << codec;
}

TEST(JoinedOggTest, AChainThatIsCutIsDataLoss) {
  Scratch scratch;
  const Coded a = CodedBy(scratch, Sine(440, 0.5, 44100), kVorbis);
  const size_t last_page = a.bytes.rfind("OggS");
  for (const std::string& bytes : {a.bytes + a.bytes.substr(0, a.bytes.size() - 1), a.bytes + a.bytes.substr(0, 40),
                                   a.bytes.substr(0, last_page) + a.bytes}) {
    PutFile(scratch / "cut.ogg", bytes);
    EXPECT_EQ(LoadAudio(scratch / "cut.ogg").status().code(), absl::StatusCode::kDataLoss);
  }
  std::string damaged = a.bytes + a.bytes;
  damaged[a.bytes.size() + 40] ^= 1;  // within the second link's first page, whose checksum tells
  PutFile(scratch / "damaged.ogg", damaged);
  EXPECT_EQ(LoadAudio(scratch / "damaged.ogg").status().code(), absl::StatusCode::kDataLoss);
}

// Loud noise, then silence: a variable bitrate that falls.
AudioBuffer Falling(double duration_s, int rate_hz, int channels) {
  AudioBuffer audio = AudioBuffer::Create(channels, std::llround(duration_s * rate_hz), rate_hz).value();
  Random random(5);
  for (int c = 0; c < channels; ++c) {
    const auto samples = audio.mutable_channel(c);
    for (size_t i = 0; i < samples.size() / 2; ++i) samples[i] = static_cast<float>(random.Uniform(-0.5, 0.5));
  }
  return audio;
}

// Where the frame that follows the file's first begins: both start with the same twelve bits and rate.
size_t SecondFrame(const std::string& bytes) {
  for (size_t at = 48; at + 4 < bytes.size(); ++at) {
    if (bytes[at] == bytes[0] && bytes[at + 1] == bytes[1] && (bytes[at + 2] & 0x0c) == (bytes[2] & 0x0c)) return at;
  }
  return bytes.size();
}

TEST(CountedMp3Test, AVariableBitrateWithoutItsHeaderIsReadToItsEnd) {
  for (const int rate_hz : {44100, 22050, 11025}) {
    for (const int channels : {1, 2}) {
      Scratch scratch;
      const AudioBuffer audio = Falling(4, rate_hz, channels);
      testing::WriteBySndfile(scratch / "with.mp3", audio, kMp3);  // variable unless told otherwise
      const std::string whole = testing::Bytes(scratch / "with.mp3");
      const size_t header = SecondFrame(whole);
      const std::string first = whole.substr(0, header);
      ASSERT_TRUE(first.find("Xing") != std::string::npos || first.find("Info") != std::string::npos);
      PutFile(scratch / "without.mp3", whole.substr(header));
      const auto with = LoadAudio(scratch / "with.mp3"), without = LoadAudio(scratch / "without.mp3");
      ASSERT_TRUE(with.ok()) << with.status();
      ASSERT_TRUE(without.ok()) << rate_hz << ": " << without.status();
      EXPECT_EQ(ProbeAudioFile(scratch / "without.mp3")->frames, without->frames());
      // The header also told what the encoder added, before and behind.
      const int64_t added = without->frames() - with->frames();
      ASSERT_GT(added, 0);
      ASSERT_LE(added, kMp3ToleranceFrames);
      int64_t same_at = -1;
      for (int64_t lag = 0; lag <= added && same_at < 0; ++lag) {
        // The synthesis window starts elsewhere, so the last bit of a sum may differ.
        if (testing::MaxDifference(without->Slice(lag, with->frames()), *with) < 1e-6) same_at = lag;
      }
      EXPECT_GE(same_at, 529) << rate_hz;  // nothing was lost, and the decoder's own delay is still there
    }
  }
}

TEST(JoinedMp3Test, FilesEndToEndPlayOn) {
  Scratch scratch;
  const Coded a = CodedBy(scratch, Sine(440, 0.6, 44100, 2), kMp3),
              b = CodedBy(scratch, Sine(660, 0.4, 44100, 2), kMp3);
  PutFile(scratch / "joined.mp3", a.bytes + b.bytes);
  ExpectFileIs(scratch / "joined.mp3", Joined({a, b}));
  // With a tag at the first one's end and one where the second begins.
  const std::string id3v2 = std::string("ID3\x04\0\0\0\0\x01\x02", 10) + std::string(130, '\xff');
  const std::string id3v1 = "TAG" + std::string(125, ' ');
  PutFile(scratch / "tagged.mp3", id3v2 + a.bytes + id3v1 + id3v2 + b.bytes + id3v1);
  ExpectFileIs(scratch / "tagged.mp3", Joined({a, b}));
  // Without their headers they are one stream, as long as both; the tags are still left out.
  const std::string plain_a = a.bytes.substr(SecondFrame(a.bytes)), plain_b = b.bytes.substr(SecondFrame(b.bytes));
  const auto frames = [&](const std::string& bytes) {
    PutFile(scratch / "plain.mp3", bytes);
    const auto audio = LoadAudio(scratch / "plain.mp3");
    EXPECT_TRUE(audio.ok()) << audio.status();
    return audio.ok() ? audio->frames() : -1;
  };
  const int64_t both = frames(plain_a) + frames(plain_b);
  EXPECT_EQ(frames(plain_a + plain_b), both);
  EXPECT_EQ(frames(plain_a + id3v1 + id3v2 + plain_b), both);
  EXPECT_EQ(frames(a.bytes + plain_b), both);  // a header that counts the first part alone is no damage
}

TEST(JoinedMp3Test, AnotherRateIsNamedAndACutIsDataLoss) {
  Scratch scratch;
  const Coded a = CodedBy(scratch, Sine(440, 0.6, 44100, 2), kMp3),
              slow = CodedBy(scratch, Sine(440, 0.6, 32000, 2), kMp3);
  PutFile(scratch / "mixed.mp3", a.bytes + slow.bytes);
  const absl::Status told = LoadAudio(scratch / "mixed.mp3").status();
  EXPECT_EQ(told.code(), absl::StatusCode::kUnimplemented) << told;
  EXPECT_NE(told.message().find("32000"), absl::string_view::npos) << told;
  // Cut between two frames: only the header knows.
  const size_t frame = SecondFrame(a.bytes.substr(SecondFrame(a.bytes)));
  PutFile(scratch / "cut.mp3", a.bytes + a.bytes.substr(0, SecondFrame(a.bytes) + frame));
  EXPECT_EQ(LoadAudio(scratch / "cut.mp3").status().code(), absl::StatusCode::kDataLoss);
}

TEST(JoinedFlacTest, IsToldApartFromAWholeFile) {
  Scratch scratch;
  const Coded a = CodedBy(scratch, Sine(440, 0.6, 44100, 2), SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
  PutFile(scratch / "joined.flac", a.bytes + a.bytes);
  const absl::Status told = LoadAudio(scratch / "joined.flac").status();
  EXPECT_EQ(told.code(), absl::StatusCode::kDataLoss) << told;
}

}  // namespace
}  // namespace grym
