#include "engine/run_summary.h"

#include <algorithm>
#include <limits>

#include "analysis/style.h"
#include "base/format.h"
#include "base/json.h"
#include "base/status.h"
#include "report/report.h"
#include "steps/step_values.h"

namespace grym {
namespace {

// The results of a run, by what they are. Borrowed pointers into `results`.
struct RunResults {
  std::vector<Json> results;  // one per completed visit
  struct Judged {
    const WorkflowVisit* visit = nullptr;  // that made the take
    const Json* take = nullptr;
    const Json* comparison = nullptr;
    bool exported = false;
  };
  std::vector<Judged> takes;
  const Json* features = nullptr;
  const Json* patterns = nullptr;
  const Json* exported = nullptr;
};

absl::StatusOr<RunResults> ReadResults(const WorkflowRun& run) {
  RunResults read;
  read.results.reserve(run.visits.size());
  const WorkflowVisit* maker = nullptr;
  const Json* take = nullptr;
  for (const WorkflowVisit& visit : run.visits) {
    if (visit.state != VisitState::kCompleted) continue;
    GRYM_ASSIGN_OR_RETURN(Json parsed, Json::Parse(visit.result_json, ResultLimits()));
    read.results.push_back(std::move(parsed));
    const Json& result = read.results.back();
    const std::string& schema = result.at("schema").text();
    if (schema == "grymsynth.features/1") read.features = &result;
    if (schema == "grymsynth.patterns/1") read.patterns = &result;
    if (result.contains("sidecar")) read.exported = &result;
    if (result.contains("provenance")) {
      maker = &visit;
      take = &result;
    }
    if (result.contains("qualityScore") && take) read.takes.push_back({maker, take, &result, false});
  }
  if (run.state != "completed" || !read.exported) {
    return Error(absl::StatusCode::kFailedPrecondition, "nothing_exported",
                 "run " + Printable(run.execution_id) + ": it is " + run.state + " and exported " +
                     (read.exported ? "a take" : "no take"));
  }
  // Takes can be alike to the byte (of silence, say); the earliest is the one that compare kept.
  for (RunResults::Judged& judged : read.takes) {
    judged.exported = judged.take->at("audio").at("$file") == read.exported->at("audio").at("$file");
    if (judged.exported) break;
  }
  return read;
}

absl::StatusOr<AudioFeatures> FeaturesOf(const Json* json) {
  if (!json) return AudioFeatures();
  Json features = *json;
  features.erase("audioFile");
  return FeaturesFromJson(features.Dump());
}

absl::StatusOr<AudioPatterns> PatternsOf(const Json* json) {
  if (!json) return AudioPatterns();
  Json patterns = *json;
  patterns.erase("audioFile");
  patterns.erase("related");
  return PatternsFromJson(patterns.Dump());
}

std::vector<EnhanceStage> StagesOf(const Json& take) {
  std::vector<EnhanceStage> stages;
  for (const Json& told : take.at("stages").items()) {
    if (!told.at("applied").boolean(false)) continue;
    stages.push_back({told.at("name").text(), true,
                      told.at("changeDb").number(std::numeric_limits<double>::quiet_NaN()), told.at("text").text()});
  }
  return stages;
}

ReportTake TakeOf(const RunResults::Judged& judged) {
  ReportTake take;
  take.label = Formatted("%s %d, level %.2f", judged.visit->step, judged.visit->visit,
                         judged.take->at("enhancementLevel").number());
  take.quality_score = judged.comparison->at("qualityScore").number();
  take.exported = judged.exported;
  for (const Json& part : judged.comparison->at("parts").items()) {
    take.parts.push_back(
        {part.at("name").text(), part.at("score").number(), part.at("weight").number(), part.at("text").text()});
  }
  for (const Json& area : judged.comparison->at("improvementAreas").items()) {
    take.areas.push_back({area.at("area").text(), area.at("severity").number(), {}, area.at("text").text()});
  }
  return take;
}

}  // namespace

absl::StatusOr<RunSummary> SummarizeRun(const WorkflowRun& run) {
  GRYM_ASSIGN_OR_RETURN(const RunResults read, ReadResults(run));
  RunSummary summary;
  summary.input = read.exported->at("take").at("audioFile").text();
  for (const RunResults::Judged& judged : read.takes) {
    TakeSummary take;
    take.step = judged.visit->step;
    take.visit = judged.visit->visit;
    take.seed = judged.take->at("provenance").at("seed").integer();
    take.enhancement_level = judged.take->at("enhancementLevel").number();
    take.quality_score = judged.comparison->at("qualityScore").number();
    take.exported = judged.exported;
    summary.takes.push_back(std::move(take));
  }
  for (const Json& file : read.exported->at("files").items()) summary.files.push_back(file.text());
  GRYM_ASSIGN_OR_RETURN(summary.before, FeaturesOf(read.features));
  GRYM_ASSIGN_OR_RETURN(summary.after, FeaturesOf(&read.exported->at("features")));
  summary.stages = StagesOf(read.exported->at("take"));
  for (const Json& warning : read.exported->at("take").at("warnings").items())
    summary.warnings.push_back(warning.text());
  return summary;
}

absl::StatusOr<std::string> ReportOfRun(const WorkflowRun& run) {
  GRYM_ASSIGN_OR_RETURN(const RunResults read, ReadResults(run));
  GRYM_ASSIGN_OR_RETURN(const RunSummary summary, SummarizeRun(run));
  ReportContent content;
  content.title = summary.input.empty() ? "A take" : summary.input.filename().string() + ", enhanced";
  GRYM_ASSIGN_OR_RETURN(content.after, LoadAudio(summary.files.front()));
  if (summary.input.empty()) {
    content.before = content.after;
  } else {
    GRYM_ASSIGN_OR_RETURN(content.before, LoadAudio(summary.input));
    const auto processor = AudioProcessor::Create();
    // The features are journalled without their frame-wise series, which the self-similarity picture wants.
    GRYM_ASSIGN_OR_RETURN(content.before_features, processor->Analyze(content.before));
    content.style = ClassifyStyleOf(content.before_features);
  }
  content.after_features = summary.after;
  GRYM_ASSIGN_OR_RETURN(content.patterns, PatternsOf(read.patterns));
  for (const RunResults::Judged& judged : read.takes) content.takes.push_back(TakeOf(judged));
  content.stages = summary.stages;
  content.warnings = summary.warnings;
  const Json& take = read.exported->at("take");
  for (const auto& [name, value] : take.at("facts").members()) {
    content.facts.emplace_back(name, value.text());
  }
  content.provenance_json = take.at("provenance").Dump(2);
  return RenderReport(content);
}

}  // namespace grym
