#include "patterns/embedding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "patterns/bar_grid.h"

namespace grym {
namespace {

constexpr double kTau = 6.283185307179586;

// Nearest-neighbour stretch to `length` points.
std::vector<double> StretchTo(std::span<const float> values, size_t length) {
  std::vector<double> out(length, 0);
  for (size_t i = 0; i < length && !values.empty(); ++i) out[i] = values[i * values.size() / length];
  return out;
}

void RemoveMean(std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  for (double& value : values) value -= sum / static_cast<double>(values.size());
}

// Magnitude of the 2-D DFT of [12, steps] at pitch frequencies 0 .. 6 and step frequencies 0 .. `kept` - 1, by the
// definition: a few thousand products.
std::vector<double> FourierMagnitude2d(const std::vector<std::array<double, 12>>& columns, size_t kept) {
  const auto steps = static_cast<double>(columns.size());
  std::vector<double> magnitudes;
  for (int u = 0; u <= 6; ++u) {
    for (size_t v = 0; v < kept; ++v) {
      double real = 0, imaginary = 0;
      for (size_t t = 0; t < columns.size(); ++t) {
        for (int p = 0; p < 12; ++p) {
          const double angle = kTau * (u * p / 12.0 + static_cast<double>(v * t) / steps);
          real += columns[t][static_cast<size_t>(p)] * std::cos(angle);
          imaginary -= columns[t][static_cast<size_t>(p)] * std::sin(angle);
        }
      }
      // The square root keeps the few large magnitudes from hiding the rest.
      magnitudes.push_back(u == 0 && v == 0 ? 0 : std::sqrt(std::hypot(real, imaginary)));
    }
  }
  return magnitudes;
}

// Mean and deviation of MFCC 1 .. 19 over music, for mel spectra in dB under an orthonormal DCT: the low ones carry the
// tilt of the spectrum, the high ones are noise around 0.
double TypicalMfccMean(size_t index) { return index == 1 ? 110 : index == 3 ? 15 : 0; }
double TypicalMfccDeviation(size_t index) { return 60 / (1 + 0.5 * static_cast<double>(index)); }

struct Texture {
  std::vector<double> mfcc_mean, mfcc_deviation, contrast, shape;
};

Texture TextureOver(const SpectralFeatures& spectral, std::span<const TimeSpan> spans) {
  Texture made{std::vector<double>(19, 0), std::vector<double>(19, 0), std::vector<double>(7, 0),
               std::vector<double>(4, 0)};
  double total_s = 0;
  for (const TimeSpan& span : spans) {
    const double length_s = span.end_s - span.start_s;
    const SeriesStatistics mfcc = StatisticsOver(spectral.mfcc, span),
                           contrast = StatisticsOver(spectral.contrast_db, span);
    for (size_t i = 1; i < mfcc.mean.size() && i < 20; ++i) {
      made.mfcc_mean[i - 1] += length_s * (mfcc.mean[i] - TypicalMfccMean(i)) / TypicalMfccDeviation(i);
      made.mfcc_deviation[i - 1] += length_s * (2 * mfcc.deviation[i] / TypicalMfccDeviation(i) - 0.6);
    }
    for (size_t i = 0; i < contrast.mean.size() && i < 7; ++i)
      made.contrast[i] += length_s * (contrast.mean[i] - 20) / 6;
    const auto mean_of = [&](const FrameSeries& series) {
      const SeriesStatistics statistics = StatisticsOver(series, span);
      return statistics.mean.empty() ? 0.0 : statistics.mean[0];
    };
    const auto octaves = [&](const FrameSeries& series, double typical_hz) {
      return std::log2(std::max(mean_of(series), 20.0) / typical_hz);
    };
    made.shape[0] += length_s * octaves(spectral.centroid_hz, 2000);
    made.shape[1] += length_s * octaves(spectral.bandwidth_hz, 2000);
    made.shape[2] += length_s * octaves(spectral.rolloff_hz, 4000);
    made.shape[3] += length_s * std::log10(std::max(mean_of(spectral.flatness), 1e-6) / 0.01);
    total_s += length_s;
  }
  if (total_s > 0) {
    for (std::vector<double>* block : {&made.mfcc_mean, &made.mfcc_deviation, &made.contrast, &made.shape}) {
      for (double& value : *block) value /= total_s;
    }
  }
  return made;
}

int IntervalClass(int semitones) {
  if (semitones == 0) return 3;
  const int size = std::abs(semitones) <= 2 ? 1 : std::abs(semitones) <= 5 ? 2 : 3;
  return semitones > 0 ? 3 + size : 3 - size;
}

}  // namespace

void EmbeddingWriter::Add(std::span<const double> block, double weight) {
  double squares = 0;
  for (const double value : block) squares += value * value;
  const double gain = squares > 1e-20 && std::isfinite(squares) ? std::sqrt(weight / squares) : 0;
  for (const double value : block) {
    if (used_ == values_.size()) return;
    values_[used_++] = gain > 0 ? static_cast<float>(value * gain) : 0.0f;
  }
}

PatternEmbedding EmbeddingWriter::Finish() const {
  double squares = 0;
  for (const float value : values_) squares += double{value} * value;
  PatternEmbedding unit{};
  if (squares < 1e-20) {
    unit[0] = 1;
    return unit;
  }
  for (size_t i = 0; i < unit.size(); ++i) unit[i] = static_cast<float>(values_[i] / std::sqrt(squares));
  return unit;
}

PatternEmbedding RhythmicEmbedding(std::span<const double> beat_onsets, std::span<const float> onset_grid) {
  std::vector<double> onsets(beat_onsets.begin(), beat_onsets.end());
  std::vector<double> correlation(64, 0);
  if (!onsets.empty()) RemoveMean(onsets);
  for (size_t lag = 1; lag <= correlation.size() && lag < onsets.size(); ++lag) {
    double sum = 0;
    for (size_t i = lag; i < onsets.size(); ++i) sum += onsets[i] * onsets[i - lag];
    correlation[lag - 1] = sum / static_cast<double>(onsets.size() - lag);
  }
  // One bar stands for two; of four bars the first two count, the rest being their variation.
  std::vector<float> two_bars(onset_grid.begin(),
                              onset_grid.begin() + static_cast<int64_t>(std::min<size_t>(onset_grid.size(), 32)));
  if (two_bars.size() <= 16)
    two_bars.insert(two_bars.end(), onset_grid.begin(), onset_grid.begin() + static_cast<int64_t>(two_bars.size()));
  std::vector<double> grid = StretchTo(two_bars, 32);
  RemoveMean(grid);
  std::vector<double> magnitudes(17, 0);
  for (size_t k = 1; k <= 16; ++k) {
    double real = 0, imaginary = 0;
    for (size_t i = 0; i < grid.size(); ++i) {
      real += grid[i] * std::cos(kTau * static_cast<double>(k * i) / 32);
      imaginary += grid[i] * std::sin(kTau * static_cast<double>(k * i) / 32);
    }
    magnitudes[k] = std::hypot(real, imaginary);
  }
  EmbeddingWriter writer;
  writer.Add(correlation, 0.4);
  writer.Add(grid, 0.4);
  writer.Add(magnitudes, 0.2);
  return writer.Finish();
}

PatternEmbedding HarmonicEmbedding(std::span<const std::string> chords) {
  std::vector<std::array<double, 12>> columns(16, std::array<double, 12>{});
  std::vector<double> motion(12, 0), quality(4, 0);
  std::vector<HeardChord> tones;
  for (const std::string& chord : chords) tones.push_back(ParseChord(chord));
  for (size_t step = 0; step < columns.size() && !tones.empty(); ++step) {
    for (const int pitch_class : tones[step * tones.size() / columns.size()].pitch_classes)
      columns[step][static_cast<size_t>(pitch_class)] = 1;
  }
  for (size_t i = 0; i < tones.size(); ++i) {
    const HeardChord& now = tones[i];
    const HeardChord& next = tones[(i + 1) % tones.size()];
    if (now.pitch_classes.empty()) continue;
    quality[static_cast<size_t>(now.quality)] += 1;
    if (!next.pitch_classes.empty()) motion[static_cast<size_t>((next.root - now.root + 12) % 12)] += 1;
  }
  EmbeddingWriter writer;
  writer.Add(FourierMagnitude2d(columns, 16), 0.7);
  writer.Add(motion, 0.2);
  writer.Add(quality, 0.1);
  return writer.Finish();
}

PatternEmbedding MelodicEmbedding(std::span<const int> intervals, std::span<const double> durations_beats) {
  std::vector<double> steps(25, 0), contour(32, 0), ratios(16, 0), pairs(49, 0);
  for (size_t i = 1; i < intervals.size(); ++i) {
    const int step = intervals[i] - intervals[i - 1];
    steps[static_cast<size_t>(std::clamp(step, -12, 12) + 12)] += 1;
    if (i >= 2)
      pairs[static_cast<size_t>(IntervalClass(intervals[i - 1] - intervals[i - 2]) * 7 + IntervalClass(step))] += 1;
  }
  double total = 0;
  for (const double duration : durations_beats) total += std::max(duration, 0.0);
  for (size_t point = 0; point < contour.size() && !intervals.empty() && total > 0; ++point) {
    double at = (static_cast<double>(point) + 0.5) / static_cast<double>(contour.size()) * total;
    size_t note = 0;
    while (note + 1 < intervals.size() && note < durations_beats.size() && at >= durations_beats[note])
      at -= durations_beats[note++];
    contour[point] = intervals[note];
  }
  RemoveMean(contour);
  for (size_t i = 1; i < durations_beats.size(); ++i) {
    if (!(durations_beats[i] > 0) || !(durations_beats[i - 1] > 0)) continue;
    const double octaves = std::log2(durations_beats[i] / durations_beats[i - 1]);
    ratios[static_cast<size_t>(std::clamp(std::lround(octaves * 2) + 8, 0L, 15L))] += 1;
  }
  EmbeddingWriter writer;
  writer.Add(steps, 0.3);
  writer.Add(contour, 0.3);
  writer.Add(ratios, 0.15);
  writer.Add(pairs, 0.25);
  return writer.Finish();
}

PatternEmbedding TimbralEmbedding(const SpectralFeatures& spectral, std::span<const TimeSpan> spans) {
  const Texture texture = TextureOver(spectral, spans);
  EmbeddingWriter writer;
  writer.Add(texture.mfcc_mean, 0.5);
  writer.Add(texture.mfcc_deviation, 0.2);
  writer.Add(texture.contrast, 0.15);
  writer.Add(texture.shape, 0.15);
  return writer.Finish();
}

PatternEmbedding StructuralEmbedding(const AudioFeatures& features, std::span<const TimeSpan> spans) {
  std::vector<std::array<double, 12>> columns(16, std::array<double, 12>{});
  double covered_s = 0, onsets = 0;
  for (const TimeSpan& span : spans) {
    const double step_s = (span.end_s - span.start_s) / 16;
    covered_s += span.end_s - span.start_s;
    for (size_t step = 0; step < 16; ++step) {
      const double from_s = span.start_s + static_cast<double>(step) * step_s;
      const SeriesStatistics chroma = StatisticsOver(features.spectral.chroma, {from_s, from_s + step_s});
      for (size_t p = 0; p < chroma.mean.size() && p < 12; ++p) columns[step][p] += chroma.mean[p];
    }
    for (const double onset_s : features.onsets_s) onsets += onset_s >= span.start_s && onset_s < span.end_s;
  }
  const Texture texture = TextureOver(features.spectral, spans);
  std::vector<double> sound = texture.mfcc_mean;
  sound.insert(sound.end(), texture.mfcc_deviation.begin(), texture.mfcc_deviation.end());
  const double whole_s = std::max(features.duration_s, 1e-3);
  const std::array<double, 4> place = {covered_s / whole_s - 0.3,
                                       (spans.empty() ? 0 : spans[0].start_s / whole_s) - 0.3,
                                       std::log2(1 + static_cast<double>(spans.size())) / 2 - 0.7,
                                       std::log2(0.1 + onsets / std::max(covered_s, 1e-3)) / 3};
  EmbeddingWriter writer;
  writer.Add(FourierMagnitude2d(columns, 8), 0.4);
  writer.Add(sound, 0.4);
  writer.Add(place, 0.2);
  return writer.Finish();
}

HeardChord ParseChord(std::string_view label) {
  HeardChord made;
  static constexpr int kNatural[7] = {9, 11, 0, 2, 4, 5, 7};  // A .. G
  if (label.empty() || label[0] < 'A' || label[0] > 'G') return made;
  int root = kNatural[label[0] - 'A'];
  size_t at = 1;
  for (; at < label.size() && (label[at] == '#' || label[at] == 'b'); ++at) root += label[at] == '#' ? 1 : 11;
  const std::string_view rest = label.substr(at, label.find('/', at) - at);
  made.root = root % 12;
  const bool minor = !rest.empty() && rest[0] == 'm' && rest.substr(0, 3) != "maj";
  const bool diminished = rest.substr(0, 3) == "dim", augmented = rest.substr(0, 3) == "aug";
  const bool suspended = rest.substr(0, 3) == "sus";
  const int third = suspended ? (rest == "sus2" ? 2 : 5) : minor || diminished ? 3 : 4;
  const int fifth = diminished ? 6 : augmented ? 8 : 7;
  made.pitch_classes = {made.root, (made.root + third) % 12, (made.root + fifth) % 12};
  const bool seventh = rest.find('7') != std::string_view::npos;
  if (seventh)
    made.pitch_classes.push_back((made.root + (rest.find("maj7") != std::string_view::npos ? 11
                                               : diminished                                ? 9
                                                                                           : 10)) %
                                 12);
  made.quality = diminished || augmented || suspended ? 3 : seventh && !minor && rest != "maj7" ? 2 : minor ? 1 : 0;
  return made;
}

}  // namespace grym
