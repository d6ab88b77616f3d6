#include "analysis/enhance/noise_bands.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/status.h"
#include "dsp/fft.h"
#include "dsp/window.h"

namespace grym {
namespace {

std::vector<int> NoiseBandEdges(int size) {
  std::vector<int> edges = {0, 4};
  while (edges.back() < size / 2) {
    edges.push_back(std::min(size / 2, std::max(edges.back() + 4, static_cast<int>(edges.back() * 1.1892))));
  }
  return edges;
}

// Calls take(frame, power [bins]) for every frame.
template <class Take>
absl::Status ForEachNoiseFrame(const AudioBuffer& audio, int size, const RunOptions& run, Take take) {
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  const float scale = 1.0f / (0.375f * static_cast<float>(size) * static_cast<float>(audio.channels()));
  std::vector<float> framed(static_cast<size_t>(size)), one(static_cast<size_t>(fft.bins())), power(one.size());
  size_t frame = 0;
  for (int64_t start = 0; start + size <= audio.frames(); start += size / 2, ++frame) {
    if (frame % 64 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(power.begin(), power.end(), 0.0f);
    for (int c = 0; c < audio.channels(); ++c) {
      const float* samples = audio.channel(c).data() + start;
      for (size_t n = 0; n < framed.size(); ++n) framed[n] = samples[n] * window[n];
      fft.Power(framed.data(), one.data());
      for (size_t k = 0; k < power.size(); ++k) power[k] += scale * one[k];
    }
    take(frame, power);
  }
  return absl::OkStatus();
}

// Sums over the marked frames of one band.
struct TextureSums {
  std::vector<double> spectrum;  // [width]
  double squares = 0;            // of a bin's power over the band's mean
  double product = 0, first = 0, second = 0;
  NoiseTexture texture;

  void Add(const float* power, const float* shape, const float* earlier, size_t width) {
    float sum = 0, power_squares = 0;
    for (size_t k = 0; k < width; ++k) sum += power[k];
    const float scale = static_cast<float>(width) / (sum + 1e-30f);
    for (size_t k = 0; k < width; ++k) {
      const float relative = power[k] * scale;
      spectrum[k] += relative;
      power_squares += relative * relative;
    }
    squares += power_squares / static_cast<double>(width);
    ++texture.frames;
    if (earlier == nullptr) return;
    float products = 0, own = 0, others = 0;
    for (size_t k = 0; k < width; ++k) {
      products += shape[k] * earlier[k];
      own += shape[k] * shape[k];
      others += earlier[k] * earlier[k];
    }
    product += products;
    first += own;
    second += others;
    ++texture.pairs;
  }

  NoiseTexture Finish() {
    const double frames = static_cast<double>(std::max<int64_t>(1, texture.frames));
    double logs = 0, sum = 0;
    for (const double value : spectrum) logs += std::log(value + 1e-30), sum += value;
    const auto width = static_cast<double>(spectrum.size());
    texture.mean_flatness = std::exp(logs / width) / (sum / width + 1e-30);
    texture.persistence = product / (std::sqrt(first * second) + 1e-30);
    // A mean over few bins takes part of their variance with it.
    texture.bin_variance = std::max(0.1, squares / frames - 1) * width / std::max(1.0, width - 1.944);
    return texture;
  }
};

}  // namespace

absl::StatusOr<NoiseBands> MeasureNoiseBands(const AudioBuffer& audio, int size, const RunOptions& run) {
  NoiseBands bands;
  bands.size = size;
  bands.edges = NoiseBandEdges(size);
  bands.power.resize(bands.bands());
  bands.flatness.resize(bands.bands());
  GRYM_RETURN_IF_ERROR(ForEachNoiseFrame(audio, size, run, [&](size_t, const std::vector<float>& power) {
    for (size_t b = 0; b < bands.bands(); ++b) {
      double sum = 0, logs = 0;
      for (int k = bands.edges[b]; k < bands.edges[b + 1]; ++k) {
        sum += power[static_cast<size_t>(k)];
        logs += std::log(power[static_cast<size_t>(k)] + 1e-20f);
      }
      const double mean = sum / bands.width(b);
      bands.power[b].push_back(static_cast<float>(mean));
      bands.flatness[b].push_back(static_cast<float>(std::exp(logs / bands.width(b)) / (mean + 1e-20)));
      bands.total += 2 * sum / size;
    }
  }));
  if (bands.frames() > 0) bands.total /= static_cast<double>(bands.frames());
  return bands;
}

absl::StatusOr<std::vector<NoiseTexture>> MeasureNoiseTexture(const AudioBuffer& audio, const NoiseBands& bands,
                                                              const std::vector<std::vector<bool>>& marked,
                                                              const RunOptions& run) {
  std::vector<TextureSums> sums(bands.bands());
  for (size_t b = 0; b < bands.bands(); ++b) sums[b].spectrum.resize(static_cast<size_t>(bands.width(b)));
  // Amplitudes over their band's mean, less 1; those of the frame that ends where this one begins are two back.
  std::array<std::vector<float>, 3> shapes;
  for (std::vector<float>& shape : shapes) shape.resize(static_cast<size_t>(bands.size / 2 + 1));
  GRYM_RETURN_IF_ERROR(ForEachNoiseFrame(audio, bands.size, run, [&](size_t t, const std::vector<float>& power) {
    std::vector<float>& shape = shapes[t % 3];
    const std::vector<float>& earlier = shapes[(t + 1) % 3];
    for (size_t b = 0; b < bands.bands(); ++b) {
      if (marked[b].empty() || !marked[b][t]) continue;
      const auto from = static_cast<size_t>(bands.edges[b]), width = static_cast<size_t>(bands.width(b));
      float sum = 0;
      for (size_t k = from; k < from + width; ++k) sum += shape[k] = std::sqrt(power[k]);
      const float scale = static_cast<float>(width) / (sum + 1e-30f);
      for (size_t k = from; k < from + width; ++k) shape[k] = shape[k] * scale - 1;
      const bool paired = t >= 2 && marked[b][t - 2];
      sums[b].Add(power.data() + from, shape.data() + from, paired ? earlier.data() + from : nullptr, width);
    }
  }));
  std::vector<NoiseTexture> textures;
  for (TextureSums& sum : sums) textures.push_back(sum.Finish());
  return textures;
}

}  // namespace grym
