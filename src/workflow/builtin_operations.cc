// The built-in operations as facts. The steps room runs them and keeps to this table.
#include <iterator>

#include "workflow/operations.h"

namespace grym {
namespace {

constexpr ValueKind kAnyValue = ValueKind::kAny;
constexpr ValueKind kBoolValue = ValueKind::kBool;
constexpr ValueKind kNumberValue = ValueKind::kNumber;
constexpr ValueKind kTextValue = ValueKind::kString;
constexpr ValueKind kListValue = ValueKind::kArray;
constexpr ValueKind kObjectValue = ValueKind::kObject;

OperationParameter Number(const char* name, double minimum, double maximum) {
  return {name, kNumberValue, minimum, maximum, false, {}};
}
OperationParameter Whole(const char* name, double minimum, double maximum) {
  return {name, kNumberValue, minimum, maximum, true, {}};
}
OperationParameter Flag(const char* name) { return {name, kBoolValue, 0, 0, false, {}}; }
OperationParameter Text(const char* name) { return {name, kTextValue, 0, 0, false, {}}; }
OperationParameter Choice(const char* name, std::vector<std::string> choices) {
  return {name, kTextValue, 0, 0, false, std::move(choices)};
}
OperationParameter List(const char* name) { return {name, kListValue, 0, 0, false, {}}; }

// A recording is a path (text) or a result with a member `audio`. Both results carry the path on as `audioFile`, which
// is how `generate` finds the recording that it works from.
OperationInfo Patterns() {
  OperationInfo info;
  info.name = "patterns";
  info.types = {StepType::kAnalysis};
  info.inputs = {{"audio", false, true}};
  info.output = {"",
                 kObjectValue,
                 {{"schema", kTextValue, {}},
                  {"audioFile", kTextValue, {}},
                  {"durationSeconds", kNumberValue, {}},
                  {"patterns", kListValue, {}},
                  {"related", kListValue, {}}}};
  info.cacheable = true;
  return info;
}

OperationInfo Features() {
  OperationInfo info;
  info.name = "features";
  info.types = {StepType::kAnalysis};
  info.inputs = {{"audio", false, true}};
  info.output = {"", kObjectValue, {}};  // grymsynth.features/1 and `audioFile`
  info.cacheable = true;
  return info;
}

OperationInfo Classify() {
  OperationInfo info;
  info.name = "classify";
  info.types = {StepType::kAnalysis};
  info.inputs = {{"audio", false, true}};
  info.output = {"", kObjectValue, {}};  // grymsynth.style/1 and `audioFile`
  info.cacheable = true;
  return info;
}

OperationInfo EnhanceAudio() {
  OperationInfo info;
  info.name = "enhance";
  info.types = {StepType::kTransformation};
  info.inputs = {{"audio", false, true}};
  info.parameters = {Number("level", 0, 1),
                     Number("targetLufs", -70, 0),
                     Number("truePeakDbtp", -20, 0),
                     Flag("denoise"),
                     Flag("declip"),
                     Flag("dehum"),
                     Flag("balance"),
                     Number("tiltDbPerOctave", -12, 6),
                     Flag("dynamics"),
                     Flag("stereo")};
  info.output = {"", kObjectValue, {{"audio", kObjectValue, {}}, {"stages", kListValue, {}}}};
  info.cacheable = true;
  return info;
}

// Without `patterns` and `features` a take is made from the prompt alone.
// `feedback` is the result of a compare: its improvementAreas are what the next take attends to.
OperationInfo Generate() {
  OperationInfo info;
  info.name = "generate";
  info.types = {StepType::kGeneration};
  info.inputs = {{"patterns", true}, {"features", true}, {"feedback", true}};
  info.parameters = {Number("enhancementLevel", 0, 1),
                     Flag("preserveOriginalCharacteristics"),
                     List("focusAreas"),  // of texts, or of objects with a text `area`, as compare answers them
                     Text("prompt"),
                     Text("negativePrompt"),
                     Number("durationSeconds", 0, 600),
                     Whole("seed", -1, 9.2e18),
                     Text("model"),
                     Number("temperature", 0, 10),
                     Whole("topK", 1, 1e6),
                     Number("topP", 0, 1),
                     Number("guidance", -100, 100),
                     Whole("steps", 1, 1000),
                     Number("tempoBpm", 30, 300),
                     Text("key"),
                     Whole("meter", 3, 4),
                     Text("structure"),
                     List("instruments"),
                     Text("mood"),
                     Number("referenceStrength", 0, 1),
                     Flag("wantStems"),
                     Choice("quality", {"draft", "standard", "best"}),
                     Flag("allowUnsupported"),
                     Number("targetLufs", -70, 0),
                     {"parameters", kObjectValue, 0, 0, false, {}}};
  info.output = {"",
                 kObjectValue,
                 {{"audio", kObjectValue, {}},
                  {"stems", kListValue, {}},
                  {"mix", kObjectValue, {}},
                  {"midi", kObjectValue, {}},
                  {"provenance", kObjectValue, {}},
                  {"request", kObjectValue, {}},
                  {"facts", kObjectValue, {}},
                  {"warnings", kListValue, {}},
                  {"attempts", kListValue, {}},
                  {"durationSeconds", kNumberValue, {}}}};
  return info;
}

// Keeps the best candidate that this step has judged: `best` is the candidate input as it came, `bestScore` its score,
// `bestVisit` the visit that judged it; the earlier one wins a tie. `best` is published, so that a later step can say
// "best.result".
OperationInfo CompareTakes() {
  OperationInfo info;
  info.name = "compare";
  info.types = {StepType::kAnalysis};
  info.inputs = {{"original", false, true}, {"candidate", false, true}};
  const OutputField area = {
      "",
      kObjectValue,
      {{"area", kTextValue, {}}, {"severity", kNumberValue, {}}, {"spans", kListValue, {}}, {"text", kTextValue, {}}}};
  info.output = {"",
                 kObjectValue,
                 {{"schema", kTextValue, {}},
                  {"qualityScore", kNumberValue, {}},
                  {"parts", kListValue, {}},
                  {"improvementAreas", kListValue, {area}},
                  {"best", kAnyValue, {}},
                  {"bestScore", kNumberValue, {}},
                  {"bestVisit", kNumberValue, {}}}};
  info.publishes = {{"best", "best"}};
  return info;
}

OperationInfo Export() {
  OperationInfo info;
  info.name = "export";
  info.types = {StepType::kTransformation};
  info.inputs = {{"take", false}};
  info.parameters = {Choice("format", {"wav", "flac", "ogg"}), Whole("sampleRate", 1000, 768000),
                     Whole("bitDepth", 16, 32), Text("path"), Text("name")};
  info.output = {"",
                 kObjectValue,
                 {{"path", kTextValue, {}},
                  {"files", kListValue, {}},
                  {"audio", kObjectValue, {}},
                  {"sha256", kTextValue, {}},
                  {"stems", kListValue, {}},
                  {"midi", kAnyValue, {}},
                  {"take", kAnyValue, {}},
                  {"sidecar", kTextValue, {}}}};
  return info;
}

}  // namespace

const char* StepTypeName(StepType type) {
  constexpr const char* kNames[] = {"analysis", "generation", "conditional", "transformation"};
  const size_t index = static_cast<size_t>(type);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

const OperationSet& BuiltinOperations() {
  static const OperationSet* const operations = [] {
    auto* set = new OperationSet();
    for (OperationInfo& info : std::vector<OperationInfo>{Patterns(), Features(), Classify(), EnhanceAudio(),
                                                          Generate(), CompareTakes(), Export()}) {
      const std::string name = info.name;
      set->emplace(name, std::move(info));
    }
    return set;
  }();
  return *operations;
}

}  // namespace grym
