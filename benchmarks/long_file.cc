// How much memory a long recording takes that is given as a path: writes MINUTES of stereo music to FILE (WAV, 16 bit,
// 44.1 kHz), analyses it, prints one line of JSON, and fails when the process ever held more than MAX_MIB.
//
//   long_file MINUTES FILE MAX_MIB
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "grymsynth/audio_processor.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#endif

namespace {

constexpr int kRateHz = 44100;

// The most memory that this process has held, in MiB; -1 where the system does not tell.
double PeakMib() {
#if defined(__unix__) || defined(__APPLE__)
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return -1;
#if defined(__APPLE__)
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
#else
  return static_cast<double>(usage.ru_maxrss) / 1024;
#endif
#else
  return -1;
#endif
}

void Put(std::string& to, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i)));
}

// 120 beats a minute: a kick, noise on every eighth, and a chord a bar. Each minute moves up a semitone, so that the
// sections differ.
void Frame(int64_t i, uint32_t& noise, double* left, double* right) {
  const double t = static_cast<double>(i) / kRateHz;
  const double in_beat = std::fmod(t, 0.5), in_bar = std::fmod(t, 2.0);
  constexpr double kRoots[4] = {220.00, 174.61, 261.63, 196.00};
  const double root = kRoots[static_cast<int>(t / 2) % 4] * std::exp2(std::fmod(std::floor(t / 60), 12) / 12);
  noise = noise * 1664525u + 1013904223u;
  const double hiss = static_cast<double>(noise >> 8) / (1 << 23) - 1;
  const double tone = std::sin(2 * M_PI * root * t) + std::sin(2 * M_PI * root * 1.5 * t);
  const double kick = 0.5 * std::exp(-14 * in_beat) * std::sin(2 * M_PI * 55 * in_beat);
  *left = kick + 0.15 * std::exp(-in_bar) * tone + 0.05 * hiss * std::exp(-40 * std::fmod(t, 0.25));
  *right = 0.8 * *left + 0.01 * hiss;
}

bool WriteRecording(const std::string& path, int64_t frames) {
  std::ofstream file(path, std::ios::binary);
  const auto bytes = static_cast<uint32_t>(frames * 4);
  std::string header = "RIFF";
  Put(header, 36 + bytes, 4);
  header += "WAVEfmt ";
  Put(header, 16, 4);
  Put(header, 1, 2);
  Put(header, 2, 2);
  Put(header, kRateHz, 4);
  Put(header, kRateHz * 4, 4);
  Put(header, 4, 2);
  Put(header, 16, 2);
  header += "data";
  Put(header, bytes, 4);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  uint32_t noise = 1;
  std::string block;
  for (int64_t i = 0; i < frames; ++i) {
    double left = 0, right = 0;
    Frame(i, noise, &left, &right);
    for (const double sample : {left, right}) {
      Put(block, static_cast<uint32_t>(static_cast<int32_t>(std::lround(32767 * std::clamp(sample, -1.0, 1.0)))), 2);
    }
    if (block.size() < 1 << 16 && i + 1 < frames) continue;
    file.write(block.data(), static_cast<std::streamsize>(block.size()));
    block.clear();
  }
  file.close();
  return file.good();
}

}  // namespace

int main(int argc, char** argv) {
  const double minutes = argc == 4 ? std::atof(argv[1]) : 0;
  if (!(minutes > 0 && minutes <= 180)) {  // a WAV header counts to 4 GiB
    std::fprintf(stderr, "usage: long_file MINUTES FILE MAX_MIB, MINUTES at most 180\n");
    return 2;
  }
  const std::string path = argv[2];
  if (!WriteRecording(path, static_cast<int64_t>(minutes * 60 * kRateHz))) {
    std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    return 1;
  }
  const double before_mib = PeakMib();
  const auto started = std::chrono::steady_clock::now();
  const std::clock_t cpu_started = std::clock();
  const auto features = grym::AudioProcessor::Create()->Analyze(path);
  const double cpu_s = static_cast<double>(std::clock() - cpu_started) / CLOCKS_PER_SEC;
  const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::remove(path.c_str());
  if (!features.ok()) {
    std::fprintf(stderr, "%s\n", features.status().ToString().c_str());
    return 1;
  }
  const double peak_mib = PeakMib(), limit_mib = std::atof(argv[3]);
  std::printf("{\"minutes\": %g, \"wall_s\": %.2f, \"cpu_s\": %.2f, \"start_mib\": %.1f, \"peak_mib\": %.1f, "
              "\"limit_mib\": %g, \"tempo_bpm\": %.2f, \"sections\": %zu}\n",
              minutes, wall_s, cpu_s, before_mib, peak_mib, limit_mib, features->tempo_bpm, features->sections.size());
  if (peak_mib > limit_mib) std::fprintf(stderr, "want at most %g MiB, took %.1f MiB\n", limit_mib, peak_mib);
  return peak_mib > limit_mib || std::abs(features->tempo_bpm - 120) > 1;
}
