#include "report/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "dsp/fft.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr double kLowHz = 40;
constexpr double kHighHz = 16000;
constexpr double kRangeDb = 80;
constexpr int kFrameSize = 2048;

void PutLittle(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

// A palette whose lightness rises evenly from near black over violet and orange to pale yellow.
std::array<uint8_t, 3> PaletteColour(int index) {
  static constexpr double kStops[5][3] = {{10, 8, 26}, {76, 29, 117}, {186, 55, 96}, {247, 140, 56}, {252, 247, 190}};
  const double at = index / 255.0 * 4;
  const int low = std::min(3, static_cast<int>(at));
  std::array<uint8_t, 3> colour{};
  for (int c = 0; c < 3; ++c) {
    colour[static_cast<size_t>(c)] =
        static_cast<uint8_t>(std::lround(kStops[low][c] + (kStops[low + 1][c] - kStops[low][c]) * (at - low)));
  }
  return colour;
}

// Power of one frame in dB per bin, Hann window.
void FramePowerDb(const AudioBuffer& mono, int64_t centre, RealFft& fft, const std::vector<float>& window,
                  std::vector<float>& frame, std::vector<float>& power_db) {
  const std::span<const float> samples = mono.channel(0);
  for (int i = 0; i < kFrameSize; ++i) {
    const int64_t at = centre - kFrameSize / 2 + i;
    const bool inside = at >= 0 && at < mono.frames();
    frame[static_cast<size_t>(i)] = inside ? samples[static_cast<size_t>(at)] * window[static_cast<size_t>(i)] : 0.0f;
  }
  fft.Power(frame.data(), power_db.data());
  for (float& power : power_db) power = 10.0f * std::log10(power + 1e-12f);
}

}  // namespace

ValueGrid SpectrogramGrid(const AudioBuffer& audio, int width, int height, double reference_db, double* peak_db) {
  ValueGrid grid{width, height, std::vector<float>(static_cast<size_t>(width) * static_cast<size_t>(height), 0.0f)};
  if (audio.empty()) return grid;
  const AudioBuffer mono = audio.ToMono();
  RealFft fft(kFrameSize);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, kFrameSize);
  std::vector<float> frame(kFrameSize), power_db(kFrameSize / 2 + 1);
  const double high_hz = std::min(kHighHz, audio.rate_hz() / 2.0);
  for (int x = 0; x < width; ++x) {
    const int64_t centre = static_cast<int64_t>((x + 0.5) / width * static_cast<double>(audio.frames()));
    FramePowerDb(mono, centre, fft, window, frame, power_db);
    for (int y = 0; y < height; ++y) {
      const double share_top = 1 - static_cast<double>(y) / height, share_low = 1 - static_cast<double>(y + 1) / height;
      const auto bin_of = [&](double share) {
        return kLowHz * std::pow(high_hz / kLowHz, share) * kFrameSize / audio.rate_hz();
      };
      const int first = std::clamp(static_cast<int>(std::floor(bin_of(share_low))), 0, kFrameSize / 2);
      const int last = std::clamp(static_cast<int>(std::floor(bin_of(share_top))), first, kFrameSize / 2);
      grid.values[static_cast<size_t>(y * width + x)] =
          *std::max_element(power_db.begin() + first, power_db.begin() + last + 1);
    }
  }
  const double peak = *std::max_element(grid.values.begin(), grid.values.end());
  if (peak_db) *peak_db = peak;
  const double top = std::isnan(reference_db) ? peak : reference_db;
  for (float& value : grid.values) value = static_cast<float>(std::clamp(1 + (value - top) / kRangeDb, 0.0, 1.0));
  return grid;
}

ValueGrid SelfSimilarityGrid(const AudioFeatures& features, int size) {
  const FrameSeries& chroma = features.spectral.chroma;
  const FrameSeries& mfcc = features.spectral.mfcc;
  const int points = static_cast<int>(std::min<int64_t>(size, std::min(chroma.frames(), mfcc.frames())));
  ValueGrid grid{std::max(points, 1), std::max(points, 1), {}};
  grid.values.assign(static_cast<size_t>(grid.width) * static_cast<size_t>(grid.width), 0.0f);
  if (points < 2) return grid;
  // One vector per point: the mean chroma, and the mean MFCC 2.. against their own mean and spread.
  const int dims = chroma.dim + mfcc.dim - 1;
  std::vector<float> vectors(static_cast<size_t>(points) * static_cast<size_t>(dims), 0.0f);
  const auto fill = [&](const FrameSeries& series, int from, int to, float scale_by_spread) {
    for (int p = 0; p < points; ++p) {
      const int64_t begin = p * series.frames() / points, end = std::max(begin + 1, (p + 1) * series.frames() / points);
      for (int64_t i = begin; i < end; ++i) {
        for (int d = from; d < series.dim; ++d) {
          vectors[static_cast<size_t>(p * dims + to + d - from)] +=
              series.values[static_cast<size_t>(i * series.dim + d)] / static_cast<float>(end - begin);
        }
      }
    }
    for (int d = from; d < series.dim; ++d) {
      double sum = 0, squares = 0;
      for (int p = 0; p < points; ++p) {
        const double value = vectors[static_cast<size_t>(p * dims + to + d - from)];
        sum += value;
        squares += value * value;
      }
      const double mean = sum / points, spread = std::sqrt(std::max(1e-9, squares / points - mean * mean));
      for (int p = 0; p < points; ++p) {
        float& value = vectors[static_cast<size_t>(p * dims + to + d - from)];
        value = static_cast<float>((value - mean) / spread) * scale_by_spread;
      }
    }
  };
  fill(chroma, 0, 0, 1.0f);
  fill(mfcc, 1, chroma.dim, 0.7f);
  for (int p = 0; p < points; ++p) {
    float* vector = &vectors[static_cast<size_t>(p * dims)];
    double length = 1e-9;
    for (int d = 0; d < dims; ++d) length += static_cast<double>(vector[d]) * vector[d];
    for (int d = 0; d < dims; ++d) vector[d] = static_cast<float>(vector[d] / std::sqrt(length));
  }
  for (int a = 0; a < points; ++a) {
    for (int b = 0; b < points; ++b) {
      float dot = 0;
      for (int d = 0; d < dims; ++d)
        dot += vectors[static_cast<size_t>(a * dims + d)] * vectors[static_cast<size_t>(b * dims + d)];
      grid.values[static_cast<size_t>(a * points + b)] = std::clamp(0.5f + 0.5f * dot, 0.0f, 1.0f);
    }
  }
  return grid;
}

std::string BitmapUri(const ValueGrid& grid) {
  const int stride = (grid.width + 3) / 4 * 4;
  const uint32_t offset = 14 + 40 + 256 * 4;
  std::string bmp = "BM";
  PutLittle(bmp, offset + static_cast<uint32_t>(stride * grid.height), 4);
  PutLittle(bmp, 0, 4);
  PutLittle(bmp, offset, 4);
  PutLittle(bmp, 40, 4);
  PutLittle(bmp, static_cast<uint32_t>(grid.width), 4);
  PutLittle(bmp, static_cast<uint32_t>(grid.height), 4);
  PutLittle(bmp, 1, 2);
  PutLittle(bmp, 8, 2);
  for (int i = 0; i < 4; ++i) PutLittle(bmp, 0, 4);  // no compression, sizes by default
  PutLittle(bmp, 256, 4);
  PutLittle(bmp, 256, 4);
  for (int i = 0; i < 256; ++i) {
    const auto colour = PaletteColour(i);
    for (const size_t c : {2u, 1u, 0u}) bmp += static_cast<char>(colour[c]);
    bmp += '\0';
  }
  for (int y = grid.height - 1; y >= 0; --y) {
    for (int x = 0; x < stride; ++x) {
      const float value = x < grid.width ? grid.values[static_cast<size_t>(y * grid.width + x)] : 0.0f;
      bmp += static_cast<char>(std::lround(value * 255));
    }
  }
  return "data:image/bmp;base64," + Base64(bmp);
}

std::string Base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace grym
