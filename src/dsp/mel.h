// Mel filter bank and cosine transform.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// Slaney's scale: linear below 1 kHz, logarithmic above (Auditory Toolbox 1998).
double MelOfHz(double hz);
double HzOfMel(double mel);
// The scale of HTK (Young et al., "The HTK Book", 2006, equation 5.13), which torchaudio takes by default.
double HtkMelOfHz(double hz);
double HzOfHtkMel(double mel);

// Triangles over the bins of a spectrum of `size / 2 + 1` bins, stored as runs so that applying them costs what they
// cover. Threads: const methods may run together.
class FilterBank {
 public:
  // `bands` triangles equally spaced in mel over [low_hz, high_hz], each of unit area in Hz (Slaney's norm).
  static FilterBank Mel(int rate_hz, int size, int bands, double low_hz, double high_hz);
  // The same on HTK's scale, each triangle 1 at its centre.
  static FilterBank HtkMel(int rate_hz, int size, int bands, double low_hz, double high_hz);
  // Triangles at `per_octave` centres an octave, unit sum; centres that fall into the same bin are one band.
  static FilterBank LogFrequency(int rate_hz, int size, int per_octave, double low_hz, double high_hz);
  int bands() const { return static_cast<int>(runs_.size()); }
  double centre_hz(int band) const { return runs_[band].centre_hz; }
  int end_bin() const;  // no band looks at this bin or any above it
  // `spectrum` [size / 2 + 1], `out` [bands].
  void Apply(const float* spectrum, float* out) const;
  // Eight spectra at once: `spectrum` [size / 2 + 1][8], `out` [bands][8].
  void ApplyToLanes(const float* spectrum, float* out) const;

  struct Run {  // one band: `count` bins from `first` on, their weights from `offset` on
    int first = 0;
    int offset = 0;
    int count = 0;
    double centre_hz = 0;
  };

 private:
  void Add(double left, double centre, double right, double bin_hz, int bins, double scale);
  std::vector<Run> runs_;
  std::vector<float> weights_;
};

// Orthonormal DCT-II of `in` [n], its first `out.size()` values.
class CosineTransform {
 public:
  CosineTransform(int inputs, int outputs);
  void Apply(const float* in, float* out) const;

 private:
  int inputs_, outputs_;
  std::vector<float> matrix_;  // [outputs / 8, rounded up][inputs][8]
};

}  // namespace grym
