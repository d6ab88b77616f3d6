// Frame-wise spectra of a mono stream at 44.1 kHz: statistics, MFCC, octave energies, noise floor, onset strength.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/fft_batch.h"
#include "dsp/mel.h"
#include "dsp/stft.h"
#include "grymsynth/audio_features.h"

namespace grym {

inline constexpr int kAnalysisRateHz = 44100;  // every input is brought to this rate, so that one set of sizes fits all

// Onset strength by band: how much louder a band became within 12 ms. Three registers besides the whole.
struct OnsetSeries {
  static constexpr int kRegisters = 3;  // below 200 Hz, below 2 kHz, above
  double rate_hz = 0;
  std::vector<float> whole;
  std::array<std::vector<float>, kRegisters> registers;
  // RMS of 64 samples each, high-passed by first difference: where exactly an attack lies.
  std::vector<float> attack_rms;
  std::vector<float> level_rms;  // the same without the high-pass
  double attack_rate_hz = 0;
};

// Hears what onsets and beats are read from as soon as it is known. Frame and attack numbers count from 0.
class OnsetListener {
 public:
  virtual ~OnsetListener() = default;
  virtual void HearAttack(float attack_rms, float level_rms) = 0;
  virtual void HearFlux(float whole, float bass) = 0;  // bass is the lowest register
};

class SpectralStream {
 public:
  static constexpr int kSize = 2048, kHop = 256, kStatisticsEvery = 4, kAttackHop = 64;
  enum class What { kEverything, kOnsets, kStatistics };
  // Takes `at_once` frames at a time, see BatchFramer: the values do not depend on it. With kOnsets nothing but
  // onsets() is measured, with kStatistics everything but that.
  explicit SpectralStream(int at_once = RealFftBatch::kFrames, OnsetListener* listener = nullptr,
                          What what = What::kEverything);
  // Allocates nothing from now on, but for Finish, and keeps what comes of the first `samples` alone.
  void Reserve(int64_t samples);
  void Push(std::span<const float> mono);
  // Fills `spectral` but for chroma, and `noise_floor_dbfs`; neither with kOnsets.
  void Finish(SpectralFeatures& spectral, double& noise_floor_dbfs);
  OnsetSeries& onsets() { return onsets_; }

 private:
  void Take(const float* first, int frames);
  void TakeAttack();
  void TakeOnsets(int frames);
  void TakeStatistics(bool silent);
  void TakeContrast();
  void TakeMfcc();
  void TakeNoiseFloor();
  OnsetListener* listener_;
  What what_;
  BatchFramer framer_;
  RealFftBatch fft_;
  std::vector<float> window_, power_, magnitude_;      // of one frame
  std::vector<float> power_lanes_, magnitude_lanes_;   // [bins][8]
  size_t root_bins_ = 0;                               // whose magnitude is asked for
  FilterBank onset_bank_, mel_bank_, third_octave_bank_;
  CosineTransform dct_;
  int64_t index_ = 0, most_frames_ = INT64_MAX, attacks_ = 0, most_attacks_ = INT64_MAX;
  std::vector<float> band_lanes_;          // [bands][8]
  std::vector<float> rows_;                // the same compressed, behind those of the last frames before
  std::vector<float> mel_, mel_db_, thirds_, sorted_;
  std::array<int, OnsetSeries::kRegisters> register_end_{};
  OnsetSeries onsets_;
  SpectralFeatures spectral_;
  std::vector<char> loud_;                 // per statistics frame: not silent
  std::array<double, 10> octave_energy_{};
  std::vector<std::array<int64_t, 440>> floor_histogram_;  // per third octave, 0.5 dB steps of power from -150 dB
  std::vector<signed char> octave_of_bin_;  // -1 outside the ten
  std::array<float, 1 + kAttackHop> attack_{};  // the sample before, and those that are not yet a whole hop
  int attack_count_ = 0;
};

}  // namespace grym
