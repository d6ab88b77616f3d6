#include "analysis/enhance/declip.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "analysis/enhance/clip_detect.h"
#include "analysis/enhance/flat_tops.h"
#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"

namespace grym {
namespace {

constexpr int kArOrder = 36;
constexpr int64_t kArWindowFrames = 2048;
constexpr int64_t kArCoreFrames = 1024;        // of a window: what is kept
constexpr int64_t kLongestRebuiltRun = 400;    // beyond that a model of this order knows nothing
constexpr int kModelRounds = 2;
constexpr int kHoldRounds = 2;
constexpr float kRungOverFrom = 0.93f;         // of the ceiling
constexpr double kEnoughEvidence = 0.5;
constexpr double kHighestRebuiltGain = 4;      // 12 dB above the clipping level

struct Unknown {
  int64_t frame = 0;
  float level = 0;
  bool held = false;
};

// Levinson-Durbin over the Hann-windowed autocorrelation; a[0] = 1.
std::vector<double> FitAutoregression(const std::vector<double>& signal, int64_t start, int64_t count) {
  std::vector<double> windowed(static_cast<size_t>(count));
  for (int64_t n = 0; n < count; ++n) {
    const double hann = 0.5 - 0.5 * std::cos(2 * M_PI * (static_cast<double>(n) + 0.5) / static_cast<double>(count));
    windowed[static_cast<size_t>(n)] = hann * signal[static_cast<size_t>(start + n)];
  }
  std::vector<double> r(kArOrder + 1, 0.0), a(kArOrder + 1, 0.0), previous;
  for (int64_t lag = 0; lag <= std::min<int64_t>(kArOrder, count - 1); ++lag) {
    for (int64_t n = lag; n < count; ++n)
      r[static_cast<size_t>(lag)] += windowed[static_cast<size_t>(n)] * windowed[static_cast<size_t>(n - lag)];
  }
  r[0] = r[0] * (1 + 1e-7) + 1e-12;
  a[0] = 1;
  double error = r[0];
  for (size_t order = 1; order <= kArOrder; ++order) {
    double sum = r[order];
    for (size_t i = 1; i < order; ++i) sum += a[i] * r[order - i];
    const double reflection = -sum / error;
    previous = a;
    for (size_t i = 1; i < order; ++i) a[i] = previous[i] + reflection * previous[order - i];
    a[order] = reflection;
    error *= 1 - reflection * reflection;
    if (error <= 0) break;
  }
  return a;
}

// Solves the symmetric positive system whose entry (i, j) is b[|frame_i - frame_j|], zero beyond the order: a banded
// Cholesky factorisation, so the cost is linear in the number of unknowns. `rhs` becomes the solution.
void SolveBanded(const std::vector<int64_t>& frames, const std::vector<double>& b, std::vector<double>& rhs) {
  const size_t count = frames.size();
  constexpr size_t kWidth = kArOrder + 1;
  std::vector<double> factor(count * kWidth, 0.0);  // row i holds columns i - order .. i
  const auto at = [&](size_t i, size_t j) -> double& { return factor[i * kWidth + (j + kArOrder - i)]; };
  for (size_t i = 0; i < count; ++i) {
    const size_t first = i > kArOrder ? i - kArOrder : 0;
    for (size_t j = first; j <= i; ++j) {
      const int64_t lag = frames[i] - frames[j];
      double sum = lag <= kArOrder ? b[static_cast<size_t>(lag)] : 0.0;
      const size_t common = std::max(first, j > kArOrder ? j - kArOrder : size_t{0});
      for (size_t k = common; k < j; ++k) sum -= at(i, k) * at(j, k);
      at(i, j) = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / at(j, j);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = i > kArOrder ? i - kArOrder : 0; k < i; ++k) rhs[i] -= at(i, k) * rhs[k];
    rhs[i] /= at(i, i);
  }
  for (size_t i = count; i-- > 0;) {
    for (size_t k = i + 1; k < std::min(count, i + kWidth); ++k) rhs[i] -= at(k, i) * rhs[k];
    rhs[i] /= at(i, i);
  }
}

// One least-squares step: the free unknowns take the values that make the model's error smallest.
void SolveUnknowns(std::vector<double>& signal, const std::vector<double>& model,
                   const std::vector<Unknown>& unknowns) {
  std::vector<double> b(kArOrder + 1, 0.0);
  for (size_t lag = 0; lag <= kArOrder; ++lag) {
    for (size_t k = 0; k + lag <= kArOrder; ++k) b[lag] += model[k] * model[k + lag];
  }
  b[0] *= 1 + 1e-9;
  std::vector<int64_t> frames;
  for (const Unknown& unknown : unknowns) {
    if (!unknown.held) frames.push_back(unknown.frame);
  }
  if (frames.empty()) return;
  for (const int64_t frame : frames) signal[static_cast<size_t>(frame)] = 0;  // so the sum below is over the known
  const auto count = static_cast<int64_t>(signal.size());
  std::vector<double> rhs;
  for (const int64_t frame : frames) {
    double sum = 0;
    for (int64_t lag = -kArOrder; lag <= kArOrder; ++lag) {
      const int64_t n = frame + lag;
      if (n >= 0 && n < count) sum -= b[static_cast<size_t>(std::abs(lag))] * signal[static_cast<size_t>(n)];
    }
    rhs.push_back(sum);
  }
  SolveBanded(frames, b, rhs);
  for (size_t i = 0; i < frames.size(); ++i) signal[static_cast<size_t>(frames[i])] = rhs[i];
}

void RebuildWindow(std::vector<double>& signal, int64_t start, int64_t count, std::vector<Unknown>& unknowns) {
  for (int round = 0; round < kModelRounds; ++round) {
    const std::vector<double> model = FitAutoregression(signal, start, count);
    for (Unknown& unknown : unknowns) unknown.held = false;
    for (int hold = 0; hold < kHoldRounds; ++hold) {
      SolveUnknowns(signal, model, unknowns);
      for (Unknown& unknown : unknowns) {
        double& value = signal[static_cast<size_t>(unknown.frame)];
        const double level = unknown.level;
        if (std::isfinite(value) && value * level >= level * level) {
          if (value / level > kHighestRebuiltGain) value = kHighestRebuiltGain * level;
          continue;
        }
        value = level;
        unknown.held = true;
      }
    }
  }
}

absl::Status RebuildChannel(std::span<const float> samples, const std::vector<ClippedRun>& runs,
                            std::vector<double>& rebuilt, const RunOptions& run) {
  rebuilt.assign(samples.begin(), samples.end());
  const auto frames = static_cast<int64_t>(samples.size());
  const int64_t margin = (kArWindowFrames - kArCoreFrames) / 2;
  for (size_t next = 0; next < runs.size();) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const int64_t core = runs[next].start;
    const int64_t from = std::max<int64_t>(0, core - margin);
    const int64_t until = std::min(frames, core + kArCoreFrames + margin);
    size_t kept = next;  // runs that start in the core are this window's; the rest only keep their clipped values out
    std::vector<Unknown> unknowns;
    size_t i = next;
    for (; i < runs.size() && runs[i].start + runs[i].count <= until; ++i) {
      if (runs[i].start < core + kArCoreFrames) kept = i + 1;
      if (runs[i].count > kLongestRebuiltRun) continue;
      for (int64_t n = 0; n < runs[i].count; ++n) unknowns.push_back({runs[i].start + n, runs[i].level, false});
    }
    kept = std::max(kept, next + 1);
    RebuildWindow(rebuilt, from, until - from, unknowns);
    for (size_t later = kept; later < i; ++later) {  // solved again by the next window, from the recording
      for (int64_t n = runs[later].start; n < runs[later].start + runs[later].count; ++n) {
        rebuilt[static_cast<size_t>(n)] = samples[static_cast<size_t>(n)];
      }
    }
    next = kept;
  }
  return absl::OkStatus();
}

// Clipped peaks that a filter rang over since: of a run only what lies around the ceiling is unknown.
std::vector<ClippedRun> RunsOnCeiling(std::span<const float> samples, const FlatTops& tops) {
  std::vector<ClippedRun> runs;
  for (ClippedRun run : tops.runs) {
    const float least = kRungOverFrom * run.level * run.level;
    const auto below = [&](int64_t n) { return samples[static_cast<size_t>(n)] * run.level < least; };
    while (run.count > 0 && below(run.start)) ++run.start, --run.count;
    while (run.count > 0 && below(run.start + run.count - 1)) --run.count;
    run.level *= kRungOverFrom;
    if (run.count > 0) runs.push_back(run);
  }
  return runs;
}

// Flat to the last bit, or what a filter left of that: whichever is more.
std::vector<ClippedRun> ClippedRunsOf(std::span<const float> samples, const CancelToken& cancel) {
  std::vector<ClippedRun> exact = FindClippedRuns(samples, cancel);
  const FlatTops tops = FindFlatTops(samples, cancel);
  int64_t frames = 0;
  for (const ClippedRun& run : exact) frames += run.count;
  return tops.evidence >= kEnoughEvidence && tops.frames > frames ? RunsOnCeiling(samples, tops) : exact;
}

double PeakDb(const AudioBuffer& audio) {
  float peak = 0;
  for (const float sample : audio.planar()) peak = std::max(peak, std::abs(sample));
  return DbOfGain(peak);
}

}  // namespace

absl::StatusOr<EnhanceStage> Declip(AudioBuffer& audio, double amount, const RunOptions& run) {
  EnhanceStage stage;
  stage.name = "declip";
  const double before_db = PeakDb(audio);
  int64_t runs_rebuilt = 0, samples_rebuilt = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    const std::vector<ClippedRun> runs = ClippedRunsOf(audio.channel(c), run.cancel);
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    if (runs.empty()) continue;
    std::vector<double> rebuilt;
    GRYM_RETURN_IF_ERROR(RebuildChannel(audio.channel(c), runs, rebuilt, run));
    const std::span<float> samples = audio.mutable_channel(c);
    for (const ClippedRun& clipped : runs) {
      for (int64_t n = clipped.start; n < clipped.start + clipped.count; ++n) {
        float& sample = samples[static_cast<size_t>(n)];
        sample = static_cast<float>(sample + amount * (rebuilt[static_cast<size_t>(n)] - sample));
      }
      samples_rebuilt += clipped.count;
    }
    runs_rebuilt += static_cast<int64_t>(runs.size());
  }
  if (runs_rebuilt == 0) {
    stage.text = "nothing clipped";
    return stage;
  }
  const double after_db = PeakDb(audio);
  stage.applied = true;
  stage.change_db = after_db - before_db;
  stage.text = Formatted("%d clipped peaks rebuilt (%.2f %% of the samples), peak %.1f -> %.1f dBFS", runs_rebuilt,
                         100.0 * static_cast<double>(samples_rebuilt) / static_cast<double>(audio.planar().size()),
                         before_db, after_db);
  return stage;
}

}  // namespace grym
