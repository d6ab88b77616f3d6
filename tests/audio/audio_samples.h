// Signals and files that the tests of this room make for themselves.
#pragma once
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <string>
#include <vector>

#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"

namespace grym::testing {

// A sine on every channel, each a third higher than the one before.
inline AudioBuffer Sine(double frequency_hz, double duration_s, int rate_hz, int channels = 1, double level = 0.5) {
  AudioBuffer audio = AudioBuffer::Create(channels, std::llround(duration_s * rate_hz), rate_hz).value();
  for (int c = 0; c < channels; ++c) {
    const double step = 2 * std::numbers::pi * frequency_hz * std::pow(1.25, c) / rate_hz;
    auto samples = audio.mutable_channel(c);
    for (size_t i = 0; i < samples.size(); ++i)
      samples[i] = static_cast<float>(level * std::sin(step * static_cast<double>(i)));
  }
  return audio;
}

// Writes by libsndfile itself, in any format that it knows: what other programs leave behind.
inline void WriteBySndfile(const std::filesystem::path& path, const AudioBuffer& audio, int format) {
  SF_INFO info{};
  info.channels = audio.channels();
  info.samplerate = audio.rate_hz();
  info.format = format;
  SNDFILE* sound = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(sound, nullptr) << path << ": " << sf_strerror(nullptr);
  std::vector<float> interleaved(audio.planar().size());
  for (int c = 0; c < audio.channels(); ++c) {
    const auto samples = audio.channel(c);
    for (size_t i = 0; i < samples.size(); ++i)
      interleaved[i * static_cast<size_t>(audio.channels()) + static_cast<size_t>(c)] = samples[i];
  }
  for (int64_t at = 0; at < audio.frames(); at += 4096) {
    const int64_t frames = std::min<int64_t>(4096, audio.frames() - at);
    ASSERT_EQ(sf_writef_float(sound, interleaved.data() + at * audio.channels(), frames), frames) << sf_strerror(sound);
  }
  ASSERT_EQ(sf_close(sound), 0);
}

inline std::string Bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline void PutFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline double MaxDifference(const AudioBuffer& a, const AudioBuffer& b) {
  EXPECT_EQ(a.channels(), b.channels());
  EXPECT_EQ(a.frames(), b.frames());
  if (a.planar().size() != b.planar().size()) return 1e9;
  double largest = 0;
  for (size_t i = 0; i < a.planar().size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.planar()[i]) - b.planar()[i]));
  return largest;
}

inline bool SameSamples(const AudioBuffer& a, const AudioBuffer& b) {
  return a.channels() == b.channels() && a.rate_hz() == b.rate_hz() &&
         std::equal(a.planar().begin(), a.planar().end(), b.planar().begin(), b.planar().end());
}

}  // namespace grym::testing
