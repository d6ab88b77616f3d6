// Small pictures for a report: a grid of values as a paletted bitmap inside a data URI, which every browser shows
// without a script.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"

namespace grym {

// Values in [0, 1], row 0 at the top: value of (x, y) at values[y * width + x].
struct ValueGrid {
  int width = 0;
  int height = 0;
  std::vector<float> values;
};

// Log-frequency spectrogram [40 Hz, 16 kHz], 0 at -80 dB below the loudest cell of `reference_db`, or of the grid when
// that is NaN. `*peak_db` receives the loudest cell, so that two pictures can share one scale. Empty audio gives a
// blank grid.
ValueGrid SpectrogramGrid(const AudioBuffer& audio, int width, int height, double reference_db, double* peak_db);

// Self-similarity of chroma and timbre over time, cosine in [0, 1], time running right and down. Source: Foote 1999.
ValueGrid SelfSimilarityGrid(const AudioFeatures& features, int size);

// "data:image/bmp;base64,..." in a perceptually even dark-to-light palette.
std::string BitmapUri(const ValueGrid& grid);

std::string Base64(std::string_view bytes);

}  // namespace grym
