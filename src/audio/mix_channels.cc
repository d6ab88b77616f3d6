// Channels up and down.
#include <cmath>
#include <vector>

#include "base/format.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {
namespace {

// One row of input weights for each output channel.
using MixMatrix = std::vector<std::vector<double>>;

// ITU-R BS.775-3 annex 4: centre and surrounds at -3 dB into left and right, no LFE; scaled so that full scale on every
// channel stays within full scale. Order as in WAVEFORMATEXTENSIBLE: L R C LFE Lb Rb (Ls Rs).
MixMatrix SurroundToStereo(int channels) {
  const double half_power = std::sqrt(0.5);
  MixMatrix matrix(2, std::vector<double>(static_cast<size_t>(channels), 0.0));
  double sum = 1 + half_power;
  matrix[0][0] = matrix[1][1] = 1;
  matrix[0][2] = matrix[1][2] = half_power;
  for (int c = 4; c < channels; ++c) {
    matrix[static_cast<size_t>(c % 2)][static_cast<size_t>(c)] = half_power;
    if (c % 2 == 0) sum += half_power;
  }
  for (auto& row : matrix) {
    for (double& weight : row) weight /= sum;
  }
  return matrix;
}

MixMatrix MatrixFor(int from, int to) {
  MixMatrix matrix(static_cast<size_t>(to), std::vector<double>(static_cast<size_t>(from), 0.0));
  if (to <= 2 && (from == 6 || from == 8)) {
    matrix = SurroundToStereo(from);
    if (to == 1) {
      for (size_t c = 0; c < matrix[0].size(); ++c) matrix[0][c] = (matrix[0][c] + matrix[1][c]) / 2;
      matrix.resize(1);
    }
  } else if (to == 1 || (to == 2 && from > 2)) {  // the mean, to one channel or to both
    for (auto& row : matrix) row.assign(static_cast<size_t>(from), 1.0 / from);
  } else if (from == 1) {
    for (auto& row : matrix) row[0] = 1;
  } else if (to > from) {  // what there is stays where it is; the rest is silent
    for (int c = 0; c < from; ++c) matrix[static_cast<size_t>(c)][static_cast<size_t>(c)] = 1;
  } else {  // fewer, but more than two: the channels beyond fold into what is left, each output the mean of its inputs
    for (int c = 0; c < from; ++c) {
      const int target = c % to;
      const int folded = from / to + (target < from % to ? 1 : 0);
      matrix[static_cast<size_t>(target)][static_cast<size_t>(c)] = 1.0 / folded;
    }
  }
  return matrix;
}

}  // namespace

absl::StatusOr<AudioBuffer> MixChannels(const AudioBuffer& audio, int channels) {
  GRYM_ASSIGN_OR_RETURN(AudioBuffer mixed, AudioBuffer::Create(channels, audio.frames(), audio.rate_hz()));
  if (channels == audio.channels()) return audio;
  if (channels == 1 && audio.channels() <= 2) return audio.ToMono();
  const MixMatrix matrix = MatrixFor(audio.channels(), channels);
  for (int to = 0; to < channels; ++to) {
    const auto out = mixed.mutable_channel(to);
    for (int from = 0; from < audio.channels(); ++from) {
      const auto weight = static_cast<float>(matrix[static_cast<size_t>(to)][static_cast<size_t>(from)]);
      if (weight == 0) continue;
      const auto in = audio.channel(from);
      for (size_t i = 0; i < out.size(); ++i) out[i] += weight * in[i];
    }
  }
  return mixed;
}

}  // namespace grym
