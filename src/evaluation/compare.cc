#include "evaluation/compare.h"

#include <algorithm>
#include <cmath>

#include "audio/sample.h"
#include "base/format.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/status.h"
#include "evaluation/likeness.h"
#include "evaluation/score_parts.h"

namespace grym {
namespace {

constexpr double kWorthImproving = 0.9;
constexpr size_t kMostAreaSpans = 100;
constexpr int64_t kMostComparedBytes = int64_t{4} << 30;  // three hours of stereo, as much as is repaired

absl::StatusOr<TakeMeasures> MeasureInput(const AudioInput& input, const char* role, const RunOptions& run) {
  AudioBuffer loaded;
  const AudioBuffer* audio = input.audio();
  if (!audio) {
    AudioLimits limits;
    limits.decoded_bytes = kMostComparedBytes;
    GRYM_ASSIGN_OR_RETURN(loaded, LoadAudio(*input.path(), limits, RunOptions{run.cancel, {}}));
    audio = &loaded;
  } else if (std::any_of(audio->planar().begin(), audio->planar().end(), [](float x) { return !IsSample(x); })) {
    loaded = *audio;
    loaded.ReplaceNonFinite();
    audio = &loaded;
  }
  if (audio->empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                 Formatted("compare: %s: want audio, got no frames", role));
  }
  return MeasureTake(*audio, run);
}

Comparison SilentComparison(bool original_silent) {
  Comparison comparison;
  const char* text = original_silent ? "the original is silent: nothing to compare with" : "the result is silent";
  for (const char* area : kImprovementAreas) comparison.parts.push_back({area, 0, 1, text});
  comparison.parts.push_back({"identity", 0, 1, text});
  comparison.improvement_areas.push_back({"loudness", 1, {}, text});
  return comparison;
}

}  // namespace

absl::StatusOr<Comparison> CompareMeasured(const TakeMeasures& original, const TakeMeasures& result,
                                           const RunOptions& run) {
  if (original.silent || result.silent) return SilentComparison(original.silent);
  GRYM_ASSIGN_OR_RETURN(const Likeness likeness, MeasureLikeness(original, result, run));
  const std::vector<JudgedPart> parts = JudgeTake(original, result, likeness);
  Comparison comparison;
  comparison.quality_score = CombineParts(parts);
  for (const JudgedPart& judged : parts) {
    comparison.parts.push_back(judged.part);
    if (judged.part.name == "identity" || judged.part.score >= kWorthImproving) continue;
    ImprovementArea area{judged.part.name, 1 - judged.part.score, judged.spans, judged.part.text};
    if (area.spans.size() > kMostAreaSpans) area.spans.resize(kMostAreaSpans);
    comparison.improvement_areas.push_back(std::move(area));
  }
  std::stable_sort(comparison.improvement_areas.begin(), comparison.improvement_areas.end(),
                   [](const ImprovementArea& a, const ImprovementArea& b) { return a.severity > b.severity; });
  return comparison;
}

absl::StatusOr<Comparison> Compare(const AudioInput& original, const AudioInput& result, const RunOptions& run) {
  ProgressReporter progress(run);
  progress.Report(0, "original");
  GRYM_ASSIGN_OR_RETURN(const TakeMeasures first, MeasureInput(original, "original", run));
  progress.Report(0.45, "result");
  GRYM_ASSIGN_OR_RETURN(const TakeMeasures second, MeasureInput(result, "result", run));
  progress.Report(0.9, "compare");
  GRYM_ASSIGN_OR_RETURN(Comparison comparison, CompareMeasured(first, second, run));
  progress.Report(1, "done");
  return comparison;
}

std::string ComparisonToJson(const Comparison& comparison) {
  Json json = Json::Object();
  json["schema"] = "grymsynth.comparison/1";
  json["qualityScore"] = comparison.quality_score;
  Json parts = Json::Array();
  for (const ScorePart& part : comparison.parts) {
    Json item = Json::Object();
    item["name"] = part.name;
    item["score"] = part.score;
    item["weight"] = part.weight;
    item["text"] = part.text;
    parts.push_back(std::move(item));
  }
  json["parts"] = std::move(parts);
  Json areas = Json::Array();
  for (const ImprovementArea& area : comparison.improvement_areas) {
    Json item = Json::Object();
    item["area"] = area.area;
    item["severity"] = area.severity;
    item["text"] = area.text;
    Json spans = Json::Array();
    for (const TimeSpan& span : area.spans) {
      Json place = Json::Object();
      place["startS"] = span.start_s;
      place["endS"] = span.end_s;
      spans.push_back(std::move(place));
    }
    item["spans"] = std::move(spans);
    areas.push_back(std::move(item));
  }
  json["improvementAreas"] = std::move(areas);
  return json.Dump();
}

}  // namespace grym
