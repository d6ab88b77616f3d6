// What a recording's spectrum does over time, in bands of a quarter octave: the evidence for or against steady noise.
#pragma once
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

// Hann frames of `size`, half a frame apart; power is |X|^2 / sum(w^2), the channels' mean.
struct NoiseBands {
  int size = 0;
  std::vector<int> edges;                     // bins; band b is [edges[b], edges[b + 1])
  std::vector<std::vector<float>> power;      // [band][frame], mean density
  std::vector<std::vector<float>> flatness;   // [band][frame], geometric mean over arithmetic mean of its bins
  double total = 0;                           // mean power of the whole
  size_t bands() const { return edges.size() - 1; }
  size_t frames() const { return power.empty() ? 0 : power[0].size(); }
  int width(size_t band) const { return edges[band + 1] - edges[band]; }
};

absl::StatusOr<NoiseBands> MeasureNoiseBands(const AudioBuffer& audio, int size, const RunOptions& run);

// What the bins of a band do in the frames that were marked for it.
struct NoiseTexture {
  int64_t frames = 0;          // marked
  int64_t pairs = 0;           // of marked frames that share no sample
  double mean_flatness = 0;    // of the marked frames' mean spectrum: noise averages out to a smooth one, partials stay
  double persistence = 0;      // correlation of a bin's amplitude with itself one whole frame later: 0 for noise
  double bin_variance = 1;     // of a bin's power in one frame, over its mean squared: 1 for noise that all channels
                               // share, 1 / channels for noise that they do not
};

// `marked` [band][frame], empty for a band that is not asked for. Reads the recording a second time: its spectra at
// full resolution would take more memory than the recording itself.
absl::StatusOr<std::vector<NoiseTexture>> MeasureNoiseTexture(const AudioBuffer& audio, const NoiseBands& bands,
                                                              const std::vector<std::vector<bool>>& marked,
                                                              const RunOptions& run);

}  // namespace grym
