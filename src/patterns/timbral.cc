#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {
namespace {

constexpr double kShortestWindow_s = 1;
constexpr size_t kMaxWindows = 1200;  // longer recordings get longer windows
constexpr size_t kTextureDims = 13;
constexpr size_t kMaxTextures = 4;
constexpr double kTextureDistance = 1.6;  // deviations of the whole recording; nearer windows are one texture

struct TextureWindow {
  TimeSpan span;
  std::vector<double> point;  // MFCC 0 .. 12, in deviations over the recording
  size_t group = 0;
};

bool IsSilent(const AudioFeatures& features, const TimeSpan& span) {
  double silent_s = 0;
  for (const TimeSpan& silence : features.condition.silence) {
    silent_s += std::max(0.0, std::min(span.end_s, silence.end_s) - std::max(span.start_s, silence.start_s));
  }
  return silent_s > (span.end_s - span.start_s) / 2;
}

std::vector<TextureWindow> TextureWindows(const AudioFeatures& features) {
  const FrameSeries& mfcc = features.spectral.mfcc;
  std::vector<TextureWindow> windows;
  if (mfcc.frames() == 0 || !(mfcc.rate_hz > 0)) return windows;
  const double length_s = static_cast<double>(mfcc.frames()) / mfcc.rate_hz;
  const double window_s = std::max(kShortestWindow_s, length_s / kMaxWindows);
  for (double at_s = mfcc.start_s; at_s + 0.5 * window_s <= mfcc.start_s + length_s; at_s += window_s) {
    TextureWindow window;
    // The last frame reaches past the end of the recording; a pattern does not.
    window.span = {std::max(at_s, 0.0), std::min({at_s + window_s, mfcc.start_s + length_s, features.duration_s})};
    if (!(window.span.end_s > window.span.start_s)) continue;
    if (IsSilent(features, window.span)) continue;
    window.point = StatisticsOver(mfcc, window.span).mean;
    window.point.resize(std::min(window.point.size(), kTextureDims));
    windows.push_back(std::move(window));
  }
  return windows;
}

// Each dimension to mean 0 over the recording, in units of typical within-music deviation (6 dB for the level, falling
// with the order): a recording of one texture stays one cluster instead of being blown up to unit variance.
void ScaleTexture(std::vector<TextureWindow>& windows) {
  const size_t dims = windows[0].point.size();
  for (size_t d = 0; d < dims; ++d) {
    double mean = 0;
    for (const TextureWindow& window : windows) mean += window.point[d] / static_cast<double>(windows.size());
    const double unit = d == 0 ? 120 : 40 / (1 + 0.3 * static_cast<double>(d));
    for (TextureWindow& window : windows) window.point[d] = (window.point[d] - mean) / unit;
  }
}

double TextureDistance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

// Farthest-first seeds while some window is farther than kTextureDistance from all, then Lloyd's k-means. Source:
// Gonzalez 1985 for the seeds; no random start, so the same recording gives the same groups.
std::vector<std::vector<double>> TextureCentres(std::vector<TextureWindow>& windows) {
  std::vector<std::vector<double>> centres = {std::vector<double>(windows[0].point.size(), 0)};
  const auto nearest = [&](const TextureWindow& window) {
    size_t best = 0;
    for (size_t c = 1; c < centres.size(); ++c) {
      if (TextureDistance(window.point, centres[c]) < TextureDistance(window.point, centres[best])) best = c;
    }
    return best;
  };
  while (true) {
    for (int round = 0; round < 8; ++round) {
      for (TextureWindow& window : windows) window.group = nearest(window);
      for (size_t c = 0; c < centres.size(); ++c) {
        std::vector<double> sum(centres[c].size(), 0);
        double count = 0;
        for (const TextureWindow& window : windows) {
          if (window.group != c) continue;
          for (size_t d = 0; d < sum.size(); ++d) sum[d] += window.point[d];
          ++count;
        }
        for (size_t d = 0; d < sum.size() && count > 0; ++d) centres[c][d] = sum[d] / count;
      }
    }
    if (centres.size() == kMaxTextures) break;
    size_t farthest = 0;
    double distance = 0;
    for (size_t w = 0; w < windows.size(); ++w) {
      const double here = TextureDistance(windows[w].point, centres[windows[w].group]);
      if (here > distance) {
        distance = here;
        farthest = w;
      }
    }
    if (distance < kTextureDistance) break;
    centres.push_back(windows[farthest].point);
  }
  for (TextureWindow& window : windows) window.group = nearest(window);
  return centres;
}

// Words for how a texture sounds beside typical music.
std::string TextureWords(const SpectralFeatures& spectral, const std::vector<TimeSpan>& spans) {
  double centroid_hz = 0, flatness = 0, total_s = 0;
  for (const TimeSpan& span : spans) {
    const SeriesStatistics centroid = StatisticsOver(spectral.centroid_hz, span),
                           flat = StatisticsOver(spectral.flatness, span);
    const double length_s = span.end_s - span.start_s;
    if (!centroid.mean.empty()) centroid_hz += length_s * centroid.mean[0];
    if (!flat.mean.empty()) flatness += length_s * flat.mean[0];
    total_s += length_s;
  }
  centroid_hz /= std::max(total_s, 1e-9);
  flatness /= std::max(total_s, 1e-9);
  const std::string light = centroid_hz < 1200 ? "dark" : centroid_hz < 2800 ? "warm" : "bright";
  return light + (flatness > 0.15 ? ", noisy" : flatness > 0.03 ? ", mixed" : ", tonal");
}

}  // namespace

void FindTimbral(const AudioFeatures& features, std::vector<AudioPattern>& found) {
  std::vector<TextureWindow> windows = TextureWindows(features);
  if (windows.size() < 2) return;
  ScaleTexture(windows);
  const std::vector<std::vector<double>> centres = TextureCentres(windows);
  for (size_t group = 0; group < centres.size(); ++group) {
    AudioPattern pattern;
    pattern.kind = PatternKind::kTimbral;
    double count = 0, spread = 0;
    for (const TextureWindow& window : windows) {
      if (window.group != group) continue;
      ++count;
      spread += TextureDistance(window.point, centres[group]);
      if (!pattern.spans.empty() && window.span.start_s - pattern.spans.back().end_s < 1e-6) {
        pattern.spans.back().end_s = window.span.end_s;
      } else {
        pattern.spans.push_back(window.span);
      }
    }
    if (count < 2) continue;
    spread /= count;
    const double coverage = count / static_cast<double>(windows.size());
    pattern.strength = std::clamp((0.3 + 0.7 * coverage) / (1 + 0.5 * spread), 0.0, 1.0);
    pattern.tempo_bpm = features.tempo_bpm;
    pattern.embedding = TimbralEmbedding(features.spectral, pattern.spans);
    pattern.description =
        Formatted("%s texture, %.0f s in %d places", TextureWords(features.spectral, pattern.spans),
                        coverage * features.duration_s, pattern.spans.size());
    pattern.evidence = {
        {"cluster_share", coverage, Formatted("%.0f %% of the sounding time is like this", 100 * coverage)},
        {"cluster_spread", spread, Formatted("its windows lie %.2f from their mean", spread)},
        {"textures", static_cast<double>(centres.size()),
         Formatted("%d textures were told apart", centres.size())}};
    found.push_back(std::move(pattern));
  }
}

}  // namespace grym
