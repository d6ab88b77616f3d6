#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "analysis/enhance/hum.h"
#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

using Complex = std::complex<double>;
constexpr double kLineHopS = 0.25;      // the line's amplitude is measured this often, by a Hann window four hops long
constexpr double kLineAverageS = 3;     // and averaged over this much on either side
constexpr int kReweightings = 4;
constexpr int64_t kLineBlockFrames = 1 << 15;

// The fundamental's phase, in cycles, at the centre of each hop.
class PhaseTrack {
 public:
  PhaseTrack(const HumFacts& hum, double rate_hz, int64_t frames) : hop_(static_cast<int64_t>(kLineHopS * rate_hz)) {
    const auto points = static_cast<size_t>(frames / hop_ + 2);
    double cycles = 0;
    for (size_t m = 0; m < points; ++m) {
      cycles_.push_back(cycles);
      // A window's frequency holds at its centre, which lies one step after its start.
      const double at = (static_cast<double>(m) + 0.5) * static_cast<double>(hop_) / rate_hz / hum.step_s - 1;
      const double last = static_cast<double>(hum.fundamental.size() - 1);
      const double place = std::clamp(at, 0.0, last);
      const auto low = static_cast<size_t>(place);
      const auto high = std::min(low + 1, hum.fundamental.size() - 1);
      const double part = place - static_cast<double>(low);
      const double hz = hum.fundamental[low] * (1 - part) + hum.fundamental[high] * part;
      cycles += hz * static_cast<double>(hop_) / rate_hz;
    }
  }
  int64_t hop() const { return hop_; }
  size_t points() const { return cycles_.size(); }
  double at_point(size_t m) const { return cycles_[m]; }
  void Shift(size_t m, double cycles) { cycles_[m] += cycles; }
  // Start phase and step per frame over the stretch from point m to m + 1.
  double step(size_t m) const { return (cycles_[m + 1] - cycles_[m]) / static_cast<double>(hop_); }

 private:
  int64_t hop_;
  std::vector<double> cycles_;
};

// The complex amplitude of multiple `k` around each point: the signal times e^(-i k phase), under a triangle two hops
// wide built from sums over single hops, so that one pass over the samples does.
absl::StatusOr<std::vector<Complex>> MeasureLine(std::span<const float> samples, const PhaseTrack& track, int k,
                                                 const CancelToken& cancel) {
  const auto frames = static_cast<int64_t>(samples.size());
  std::vector<Complex> rising(track.points()), falling(track.points());
  std::vector<double> weight(track.points(), 0.0);
  const double hop = static_cast<double>(track.hop());
  for (size_t m = 0; m + 1 < track.points(); ++m) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const int64_t start = static_cast<int64_t>(m) * track.hop(), end = std::min(frames, start + track.hop());
    Complex turn = std::polar(1.0, -2 * M_PI * k * track.at_point(m));
    const Complex step = std::polar(1.0, -2 * M_PI * k * track.step(m));
    for (int64_t n = start; n < end; ++n) {
      const double place = (static_cast<double>(n - start) + 0.5) / hop;
      const Complex value = static_cast<double>(samples[static_cast<size_t>(n)]) * turn;
      falling[m] += value * (1 - place);
      rising[m + 1] += value * place;
      weight[m] += 1 - place;
      weight[m + 1] += place;
      turn *= step;
    }
  }
  std::vector<Complex> line(track.points());
  for (size_t m = 0; m < line.size(); ++m) {
    if (weight[m] > 1) line[m] = 2.0 * (rising[m] + falling[m]) / weight[m];
  }
  return line;
}

// A running mean that trusts moments close to what the others say: iteratively reweighted, so that a bass note over the
// line counts little.
absl::StatusOr<std::vector<Complex>> AverageLine(const std::vector<Complex>& line, const CancelToken& cancel) {
  const auto reach = static_cast<int64_t>(kLineAverageS / kLineHopS);
  const auto count = static_cast<int64_t>(line.size());
  std::vector<Complex> average(line.size());
  for (int64_t m = 0; m < count; ++m) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const int64_t from = std::max<int64_t>(0, m - reach), until = std::min(count, m + reach + 1);
    Complex mean = 0;
    for (int64_t i = from; i < until; ++i) mean += line[static_cast<size_t>(i)];
    mean /= static_cast<double>(until - from);
    for (int round = 0; round < kReweightings; ++round) {
      double scale = 0;
      for (int64_t i = from; i < until; ++i) scale += std::abs(line[static_cast<size_t>(i)] - mean);
      scale = 0.25 * scale / static_cast<double>(until - from) + 1e-9;
      Complex sum = 0;
      double weights = 0;
      for (int64_t i = from; i < until; ++i) {
        const double off = std::abs(line[static_cast<size_t>(i)] - mean) / scale;
        const double weight = 1 / (1 + off * off);
        sum += weight * line[static_cast<size_t>(i)];
        weights += weight;
      }
      mean = sum / weights;
    }
    average[static_cast<size_t>(m)] = mean;
  }
  return average;
}

// Makes the track follow the phases that the lines really have: the turn from point to point, weighed by the lines'
// strength and smoothed over the averaging window.
absl::Status RefineTrack(PhaseTrack& track, const std::vector<std::vector<Complex>>& lines,
                         const std::vector<int>& harmonics, const CancelToken& cancel) {
  const size_t points = track.points();
  std::vector<double> slip(points, 0.0);  // cycles of the fundamental from point m - 1 to m
  const auto reach = static_cast<int64_t>(kLineAverageS / kLineHopS);
  for (size_t m = 1; m < points; ++m) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    double sum = 0, weights = 0;
    for (size_t h = 0; h < harmonics.size(); ++h) {
      Complex turn = 0;
      const auto from = std::max<int64_t>(1, static_cast<int64_t>(m) - reach);
      const auto until = std::min<int64_t>(static_cast<int64_t>(points) - 1, static_cast<int64_t>(m) + reach);
      for (int64_t i = from; i <= until; ++i) {
        const Complex product = lines[h][static_cast<size_t>(i)] * std::conj(lines[h][static_cast<size_t>(i - 1)]);
        turn += product / (std::sqrt(std::abs(product)) + 1e-12);  // a loud note shall not decide alone
      }
      const double k = harmonics[h], weight = std::abs(turn) * k * k;
      sum += weight * std::arg(turn) / (2 * M_PI * k);
      weights += weight;
    }
    slip[m] = weights > 0 ? sum / weights : 0;
  }
  double total = 0;
  for (size_t m = 1; m < points; ++m) track.Shift(m, total += slip[m]);
  return absl::OkStatus();
}

// Whether what is left after averaging is smaller than the average: true for hum under music, false for music alone.
bool HoldsStill(const std::vector<Complex>& line, const std::vector<Complex>& average) {
  std::vector<double> steady, moving;
  for (size_t m = 0; m < line.size(); ++m) {
    steady.push_back(std::abs(average[m]));
    moving.push_back(std::abs(line[m] - average[m]));
  }
  return Median(steady) > Median(moving) && Median(steady) > 1e-5;
}

double LinePower(const std::vector<Complex>& line) {
  double sum = 0;
  for (const Complex& value : line) sum += std::norm(value) / 2;
  return sum / static_cast<double>(line.size());
}

absl::Status SubtractLine(std::span<float> samples, const PhaseTrack& track, const std::vector<Complex>& line, int k,
                          double amount, const CancelToken& cancel) {
  const auto frames = static_cast<int64_t>(samples.size());
  for (size_t m = 0; m + 1 < track.points(); ++m) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const int64_t start = static_cast<int64_t>(m) * track.hop(), end = std::min(frames, start + track.hop());
    Complex turn = std::polar(1.0, 2 * M_PI * k * track.at_point(m));
    const Complex step = std::polar(1.0, 2 * M_PI * k * track.step(m));
    for (int64_t n = start; n < end; ++n) {
      const double place = (static_cast<double>(n - start) + 0.5) / static_cast<double>(track.hop());
      const Complex amplitude = line[m] * (1 - place) + line[m + 1] * place;
      samples[static_cast<size_t>(n)] -= static_cast<float>(amount * (amplitude * turn).real());
      turn *= step;
    }
  }
  return absl::OkStatus();
}

// Returns the largest offset found, with its sign.
double RemoveOffset(AudioBuffer& audio, double amount) {
  double largest = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<float> samples = audio.mutable_channel(c);
    double sum = 0;
    for (const float sample : samples) sum += sample;
    const double offset = sum / static_cast<double>(samples.size());
    if (std::abs(offset) < 1e-3) continue;  // -60 dBFS: below that it is the recording's own lowest swing
    if (std::abs(offset) > std::abs(largest)) largest = offset;
    for (float& sample : samples) sample = static_cast<float>(sample - amount * offset);
  }
  return largest;
}

struct LinesRemoved {
  double power_before = 0, power_after = 0;  // of all lines, summed over the channels
  int multiples = 0;                         // most in one channel
};

absl::Status RemoveLines(std::span<float> samples, int rate_hz, const HumFacts& hum, double amount,
                         const RunOptions& run, LinesRemoved& removed) {
  PhaseTrack track(hum, rate_hz, static_cast<int64_t>(samples.size()));
  std::vector<std::vector<Complex>> lines;
  for (const int k : hum.harmonics) {
    GRYM_ASSIGN_OR_RETURN(std::vector<Complex> line, MeasureLine(samples, track, k, run.cancel));
    lines.push_back(std::move(line));
  }
  GRYM_RETURN_IF_ERROR(RefineTrack(track, lines, hum.harmonics, run.cancel));
  int multiples = 0;
  for (int k = 1; k <= std::max(8, hum.harmonics.back()); ++k) {
    GRYM_ASSIGN_OR_RETURN(const std::vector<Complex> line, MeasureLine(samples, track, k, run.cancel));
    GRYM_ASSIGN_OR_RETURN(const std::vector<Complex> average, AverageLine(line, run.cancel));
    // This decides for every multiple: one that music covered during the search is found after all, and a kick drum
    // that strikes at a mains frequency is let go, since it fades between its strokes.
    if (!HoldsStill(line, average)) continue;
    GRYM_RETURN_IF_ERROR(SubtractLine(samples, track, average, k, amount, run.cancel));
    GRYM_ASSIGN_OR_RETURN(const std::vector<Complex> left, MeasureLine(samples, track, k, run.cancel));
    GRYM_ASSIGN_OR_RETURN(const std::vector<Complex> left_average, AverageLine(left, run.cancel));
    removed.power_before += LinePower(average);
    removed.power_after += LinePower(left_average);
    ++multiples;
  }
  removed.multiples = std::max(removed.multiples, multiples);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EnhanceStage> RemoveHum(AudioBuffer& audio, double amount, const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "dehum";
  if (audio.empty()) return stage;
  GRYM_ASSIGN_OR_RETURN(const HumFacts hum, FindHum(audio, run));
  const double offset = RemoveOffset(audio, amount);
  if (offset != 0) stage.text = Formatted("constant offset of %+.4f removed", offset);
  stage.applied = offset != 0;
  if (hum.fundamental_hz == 0) {
    if (!stage.applied) stage.text = "no hum";
    return stage;
  }
  LinesRemoved removed;
  for (int c = 0; c < audio.channels(); ++c) {
    GRYM_RETURN_IF_ERROR(RemoveLines(audio.mutable_channel(c), audio.rate_hz(), hum, amount, run, removed));
  }
  if (removed.multiples == 0) {
    if (!stage.applied) stage.text = "no hum: what stands at a mains frequency does not hold still";
    return stage;
  }
  const double before_db = DbOfPower(removed.power_before / audio.channels() + 1e-14);
  const double after_db = DbOfPower(removed.power_after / audio.channels() + 1e-14);
  stage.applied = true;
  stage.change_db = std::min(0.0, after_db - before_db);
  stage.text =
      Formatted("%d lines of %.2f Hz (drift %.2f Hz), %.1f -> %.1f dBFS%s%s", removed.multiples, hum.fundamental_hz,
                hum.drift_hz, before_db, after_db, stage.text.empty() ? "" : "; ", stage.text);
  return stage;
}

}  // namespace grym
