// The report of an enhancement: one HTML page that needs nothing beside it.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/evaluation.h"
#include "grymsynth/pattern.h"

namespace grym {

struct ReportTake {
  std::string label;  // "take 1, level 0.5"
  double quality_score = 0;
  std::vector<ScorePart> parts;
  std::vector<ImprovementArea> areas;
  bool exported = false;
};

struct ReportContent {
  std::string title;
  AudioBuffer before, after;
  AudioFeatures before_features, after_features;
  AudioPatterns patterns;             // of the original
  std::vector<ReportTake> takes;      // in the order they were made
  std::vector<EnhanceStage> stages;   // of the exported take
  StyleClassification style;
  std::vector<std::pair<std::string, std::string>> facts;  // name, value
  std::vector<std::string> warnings;
  std::string provenance_json;
};

// Everything from files or users is escaped. At most the first 60 s of each side are embedded to listen to.
absl::StatusOr<std::string> RenderReport(const ReportContent& content);

// Text made safe inside HTML elements and quoted attributes.
std::string EscapeHtml(std::string_view text);

}  // namespace grym
