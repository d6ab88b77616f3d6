#include "base/json.h"
#include "grymsynth/audio_processor.h"

namespace grym {
namespace {

Json LabelsToJson(const std::vector<ScoredLabel>& labels) {
  Json array = Json::Array();
  for (const ScoredLabel& label : labels) {
    Json entry = Json::Object();
    entry["label"] = label.label;
    entry["score"] = label.score;
    array.push_back(std::move(entry));
  }
  return array;
}

}  // namespace

std::string StyleToJson(const StyleClassification& style) {
  Json json = Json::Object();
  json["schema"] = "grymsynth.style/1";
  json["genres"] = LabelsToJson(style.genres);
  json["moods"] = LabelsToJson(style.moods);
  json["textures"] = LabelsToJson(style.textures);
  json["method"] = style.method;
  json["unsure"] = style.unsure;
  return json.Dump();
}

}  // namespace grym
