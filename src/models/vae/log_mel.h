// The spectrogram that AudioLDM's autoencoder encodes: of a recording, for audio to audio.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace grym {

// The defaults are AudioLDM's. Source: https://github.com/haoheliu/AudioLDM, audioldm/audio/stft.py (TacotronSTFT) and
// audioldm/utils.py (default_audioldm_config), which take librosa's mel basis: Slaney's scale and norm.
struct LogMelOptions {
  int rate_hz = 16000;
  int size = 1024;  // of the transform and the periodic Hann window; a power of two
  int hop = 160;
  int bands = 64;
  double low_hz = 0, high_hz = 8000;
  float floor = 1e-5f;  // magnitudes of a band below it count as it
};

// log(max(mel basis x |spectrum|, floor)), shape [1, 1, frames, bands], float32, where frames = samples / hop + 1 and
// frame i is centred at sample i * hop; the signal is mirrored at its ends. Samples beyond +-1 count as +-1.
// Differs: a signal of half a window or less, which the reference refuses, is mirrored again and again.
// InvalidArgument (code "no_audio") for no samples.
absl::StatusOr<at::Tensor> LogMel(std::span<const float> samples, const LogMelOptions& options = {});

// What AudioLDM does to a recording before: its mean is taken away and its peak set to one half.
// Source: audioldm/audio/tools.py, normalize_wav.
std::vector<float> CentredAtHalfScale(std::span<const float> samples);

}  // namespace grym
