// Spectral peaks of a mono stream at 11,025 Hz: what tuning, chroma, key, chords and hum are read from.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/fft_batch.h"
#include "dsp/stft.h"

namespace grym {

inline constexpr int kTonalRateHz = 11025;

// One sinusoid of one frame, in four bytes: an hour is 10 MB.
struct TonalPeak {
  static constexpr double kLowestHz = 27.5;  // A0
  uint16_t cents = 0;       // above A0 of A4 = 440 Hz
  uint16_t centibels = 0;   // level in 0.01 dB above -200 dBFS
  double midi() const { return 21 + cents / 100.0; }
  double hz() const;
  double gain() const;      // amplitude, full scale sine = 1
};

struct TonalFrames {
  double rate_hz = 0;                // frame i is centred at i / rate_hz
  std::vector<int64_t> first{0};     // peaks of frame i: [first[i], first[i + 1])
  std::vector<TonalPeak> peaks;
  std::vector<float> level;          // sum of squared peak amplitudes
  int64_t frames() const { return static_cast<int64_t>(first.size()) - 1; }
  std::span<const TonalPeak> of(int64_t i) const {
    return std::span(peaks).subspan(first[i], static_cast<size_t>(first[i + 1] - first[i]));
  }
  // Mean power spectrum below 1 kHz with bins of 2.69 Hz, for hum.
  std::vector<double> mean_power;
};

// Hears the peaks of each frame as soon as they are known.
class TonalListener {
 public:
  virtual ~TonalListener() = default;
  virtual void HearPeaks(std::span<const TonalPeak> peaks) = 0;
};

class TonalStream {
 public:
  static constexpr int kSize = 4096, kHop = 1024, kMostPeaks = 40;
  // Takes `at_once` frames at a time, see BatchFramer: the values do not depend on it.
  explicit TonalStream(int at_once = RealFftBatch::kFrames, TonalListener* listener = nullptr);
  // Allocates nothing from now on, but for Finish, and keeps what comes of the first `samples` alone.
  void Reserve(int64_t samples);
  void Push(std::span<const float> mono);
  TonalFrames Finish();

 private:
  void Take(const float* first, int frames);
  void TakePeaks(const float* power);
  void FindCandidates(const float* power);
  TonalListener* listener_;
  BatchFramer framer_;
  RealFftBatch fft_;
  std::vector<float> window_, power_;  // [8][bins]
  std::vector<float> power_lanes_;     // [bins][8]
  TonalFrames frames_;
  struct Candidate {
    float level_db;
    double hz;
  };
  std::vector<unsigned char> marks_;                   // per bin: a maximum
  std::vector<int> maxima_;                            // their bins
  std::array<std::vector<float>, 5> of_maxima_;        // power before, at and after; level in dB; place between bins
  std::vector<Candidate> candidates_;
  std::vector<TonalPeak> found_;  // of one frame
  int64_t most_frames_ = INT64_MAX;
};

}  // namespace grym
