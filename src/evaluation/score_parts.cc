#include "evaluation/score_parts.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "dsp/decibels.h"

namespace grym {
namespace {

// Weights are exponents. Identity decides alone; noise, clipping, tempo and key are the damages that everyone hears; the
// rest is taste within broad limits.
constexpr double kIdentityWeight = 1.0, kDamageWeight = 0.25, kTimeAndPitchWeight = 0.3, kTasteWeight = 0.08;
constexpr double kQuietNoiseSnrDb = 45;  // from here on noise is no fault
constexpr double kFewBands = 0.2;        // of the spectrum with a steady floor: less is weak evidence

// 1 inside [low, high], falling to 0 `slack` beyond.
double Within(double value, double low, double high, double slack) {
  const double beyond = value < low ? low - value : value > high ? value - high : 0;
  return std::clamp(1 - beyond / slack, 0.0, 1.0);
}

JudgedPart Part(const char* name, double score, double weight, std::string text) {
  JudgedPart judged;
  judged.part = {name, std::clamp(score, 0.0, 1.0), weight, std::move(text)};
  return judged;
}

JudgedPart JudgeLoudness(const TakeMeasures& result) {
  const double level = std::isfinite(result.lufs) ? Within(result.lufs, -26, -8, 30) : 0;
  const double over = Within(result.true_peak_dbtp, -200, 0.5, 6);
  return Part("loudness", level * over, kTasteWeight,
              absl::StrFormat("%.1f LUFS, true peak %.1f dBTP", result.lufs, result.true_peak_dbtp));
}

JudgedPart JudgeClipping(const TakeMeasures& result) {
  const double score = 1 / (1 + std::sqrt(result.clipped_ratio / 0.005));
  JudgedPart judged = Part("clipping", score, kDamageWeight,
                           result.clipped_ratio > 0
                               ? absl::StrFormat("%.3f %% of the samples are cut off flat", 100 * result.clipped_ratio)
                               : std::string("no flat tops"));
  judged.spans = result.clipping;
  return judged;
}

JudgedPart JudgeNoise(const TakeMeasures& result) {
  double noise = 1;
  std::string text = "no steady noise";
  if (std::isfinite(result.noise.noise_dbfs)) {
    const double raw = std::clamp(result.noise.SnrDb() / kQuietNoiseSnrDb, 0.0, 1.0);
    noise = 1 - (1 - raw) * std::min(1.0, result.noise.share / kFewBands);
    text = absl::StrFormat("steady noise %.1f dB below the music", result.noise.SnrDb());
  }
  double hum = 1;
  if (result.hum.fundamental_hz > 0) {
    const double below_db = result.rms_dbfs - result.hum.level_dbfs;
    hum = std::clamp(below_db / kQuietNoiseSnrDb, 0.0, 1.0);
    text += absl::StrFormat(", hum at %.1f Hz %.1f dB below", result.hum.fundamental_hz, below_db);
  }
  const double offset = std::clamp(1 - (std::abs(result.offset) - 0.002) / 0.1, 0.0, 1.0);
  if (offset < 1) text += absl::StrFormat(", constant offset of %+.4f", result.offset);
  return Part("noise", noise * hum * offset, kDamageWeight, std::move(text));
}

JudgedPart JudgeBalance(const TakeMeasures& original, const TakeMeasures& result) {
  const double slope = result.spectrum.slope_db_per_octave;
  // Recordings differ; only what is far from all of them, and moved further from the original, is a fault.
  double moved = 0, heard = 0;
  for (size_t i = 0; i < 10; ++i) {
    if (original.spectrum.octave_db[i] < -50) continue;
    moved += std::abs(result.spectrum.octave_db[i] - original.spectrum.octave_db[i]);
    ++heard;
  }
  moved = heard > 0 ? moved / heard : 0;
  return Part("spectral balance", Within(slope, -11, 0, 12) * Within(moved, 0, 5, 15), kTasteWeight,
              absl::StrFormat("slope %.1f dB per octave, octaves moved by %.1f dB on average", slope, moved));
}

JudgedPart JudgeDynamics(const TakeMeasures& original, const TakeMeasures& result) {
  const double lost = std::max(0.0, original.crest_db - result.crest_db);
  return Part("dynamics", Within(result.crest_db, 7, 26, 8) * Within(lost, 0, 6, 12), kTasteWeight,
              absl::StrFormat("crest %.1f dB, the original's is %.1f dB", result.crest_db, original.crest_db));
}

JudgedPart JudgeTempo(const Likeness& likeness) {
  const double score = 1 / (1 + likeness.drift_s / 0.04);
  JudgedPart judged = Part("tempo", score, kTimeAndPitchWeight,
                           absl::StrFormat("times move by %.0f ms on average, speed %.2f %%", 1000 * likeness.drift_s, 100 * likeness.speed));
  judged.spans = likeness.drifting;
  return judged;
}

JudgedPart JudgeKey(const Likeness& likeness) {
  const double away = std::max(0.0, std::abs(likeness.cents) - 1);
  // Pitch that wavers smears the fine spectrum: the evidence itself falls.
  const double steady = 0.6 + 0.4 * std::clamp(likeness.pitch_evidence, 0.0, 1.0);
  return Part("key", std::exp(-away / 80) * steady, kTimeAndPitchWeight,
              likeness.pitch_evidence > 0.2 ? absl::StrFormat("pitch %+.0f cents from the original's", likeness.cents)
                                            : std::string("the original's pitches are not found"));
}

JudgedPart JudgeStructure(const Likeness& likeness) {
  JudgedPart judged = Part("structure", likeness.held * std::min(1.0, likeness.coverage / 0.98), 2 * kTasteWeight,
                           absl::StrFormat("%.0f %% of the original's passages are there, in its order, over %.0f %% of its length",
                                           100 * likeness.held, 100 * likeness.coverage));
  judged.spans = likeness.lost;
  return judged;
}

JudgedPart JudgeStereo(const TakeMeasures& original, const TakeMeasures& result) {
  if (result.channels < 2) {
    return Part("stereo", original.channels > 1 && original.stereo.side_db > -30 ? 0.5 : 1, kTasteWeight, "mono");
  }
  const double lost = std::isfinite(original.stereo.side_db) ? std::max(0.0, original.stereo.side_db - std::max(-60.0, result.stereo.side_db)) : 0;
  const bool was_wide = original.channels > 1 && original.stereo.side_db > -30;
  return Part("stereo", Within(result.stereo.correlation, 0, 1, 1) * (was_wide ? Within(lost, 0, 6, 20) : 1), kTasteWeight,
              absl::StrFormat("correlation %.2f, side %.1f dB", result.stereo.correlation, result.stereo.side_db));
}

// Another song reaches 0.8 at most (two drum recordings of like tempo, kick warped onto kick); the same song with
// parts added, cleaned or repitched by 50 cents lies above 1.05.
JudgedPart JudgeIdentity(const Likeness& likeness) {
  const double together = likeness.similarity + 0.4 * std::max(0.0, likeness.pitch_evidence);
  const double place = std::clamp((together - 0.72) / (1.05 - 0.72), 0.0, 1.0);
  return Part("identity", place * place * (3 - 2 * place), kIdentityWeight,
              absl::StrFormat("similarity %.2f in time and bands, %.2f in fine pitch", likeness.similarity, likeness.pitch_evidence));
}

}  // namespace

std::vector<JudgedPart> JudgeTake(const TakeMeasures& original, const TakeMeasures& result, const Likeness& likeness) {
  std::vector<JudgedPart> parts;
  parts.push_back(JudgeLoudness(result));
  parts.push_back(JudgeClipping(result));
  parts.push_back(JudgeNoise(result));
  parts.push_back(JudgeBalance(original, result));
  parts.push_back(JudgeDynamics(original, result));
  parts.push_back(JudgeTempo(likeness));
  parts.push_back(JudgeKey(likeness));
  parts.push_back(JudgeStructure(likeness));
  parts.push_back(JudgeStereo(original, result));
  parts.push_back(JudgeIdentity(likeness));
  return parts;
}

double CombineParts(const std::vector<JudgedPart>& parts) {
  double score = 1;
  for (const JudgedPart& judged : parts) {
    const bool decides = judged.part.name == "identity";
    score *= std::pow(decides ? judged.part.score : std::max(0.02, judged.part.score), judged.part.weight);
  }
  return std::clamp(score, 0.0, 1.0);
}

}  // namespace grym
