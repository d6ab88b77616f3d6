#include "model/request_rules.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/status.h"
#include "base/utf8.h"
#include "grymsynth/evaluation.h"
#include "model/json_fields.h"
#include "model/pattern_json.h"

namespace grym {
namespace {

constexpr const char* kQualityNames[] = {"draft", "standard", "best"};

std::string Shown(double value) {
  return std::isnan(value) ? "NaN" : std::isinf(value) ? "infinity" : Json(value).Dump();
}

class Checker {
 public:
  void Report(std::string pointer, std::string code, std::string message, std::string hint = "") {
    problems.push_back({std::move(pointer), std::move(code), std::move(message), std::move(hint)});
  }
  // `in_range` must be false for NaN.
  void Range(const char* pointer, bool in_range, const char* want, double got) {
    if (!in_range) Report(pointer, "out_of_range", std::string("want ") + want + ", got " + Shown(got));
  }
  void Text(const std::string& pointer, const std::string& text, size_t limit) {
    if (text.size() > limit) {
      Report(pointer, "too_long",
             "want at most " + std::to_string(limit) + " bytes, got " + std::to_string(text.size()));
    } else if (!IsUtf8(text)) {
      Report(pointer, "bad_utf8", "want UTF-8, got \"" + Printable(text, 60) + "\"");
    } else if (text.find('\0') != std::string::npos) {
      Report(pointer, "bad_text", "want text without NUL");
    }
  }
  bool Count(const char* pointer, size_t count, size_t limit) {
    if (count <= limit) return true;
    Report(pointer, "too_many", "want at most " + std::to_string(limit) + ", got " + std::to_string(count));
    return false;
  }
  std::vector<Problem> problems;
};

void CheckSampling(const GenerateAudioRequest& request, Checker& check) {
  if (const auto& v = request.temperature) check.Range("/temperature", *v >= 0 && *v <= 10, "[0, 10]", *v);
  if (const auto& v = request.top_k) check.Range("/topK", *v >= 1 && *v <= kMaxTopK, "[1, 1000000]", *v);
  if (const auto& v = request.top_p) check.Range("/topP", *v > 0 && *v <= 1, "(0, 1]", *v);
  if (const auto& v = request.guidance)
    check.Range("/guidance", *v >= -kMaxGuidance && *v <= kMaxGuidance, "[-100, 100]", *v);
  if (const auto& v = request.steps) check.Range("/steps", *v >= 1 && *v <= kMaxSteps, "[1, 1000]", *v);
}

void CheckMusic(const GenerateAudioRequest& request, Checker& check) {
  if (const auto& v = request.tempo_bpm)
    check.Range("/tempoBpm", *v >= 30 && *v <= 300, "[30, 300] beats a minute", *v);
  if (request.key && !IsKeyName(*request.key)) {
    check.Report("/key", "bad_key",
                 "want a key such as \"F major\" or \"C# minor\", got \"" + Printable(*request.key, 60) + "\"");
  }
  if (const auto& v = request.meter) check.Range("/meter", *v == 3 || *v == 4, "3 or 4 beats a bar", *v);
  check.Text("/structure", request.structure, kMaxShortTextBytes);
  check.Text("/mood", request.mood, kMaxShortTextBytes);
  if (check.Count("/instruments", request.instruments.size(), kMaxListItems)) {
    for (size_t i = 0; i < request.instruments.size(); ++i) {
      check.Text("/instruments/" + std::to_string(i), request.instruments[i], kMaxShortTextBytes);
    }
  }
}

void CheckReference(const GenerateAudioRequest& request, Checker& check) {
  check.Text("/referenceAudio", request.reference_audio, kMaxPathBytes);
  check.Text("/referenceMidi", request.reference_midi, kMaxPathBytes);
  if (request.reference_buffer && request.reference_buffer->empty()) {
    check.Report("/referenceAudio", "empty_audio", "want a reference buffer with frames, got none");
  }
  check.Range("/referenceStrength", request.reference_strength >= 0 && request.reference_strength <= 1, "[0, 1]",
              request.reference_strength);
  check.Range("/enhancementLevel", request.enhancement_level >= 0 && request.enhancement_level <= 1, "[0, 1]",
              request.enhancement_level);
  if (const auto& v = request.target_lufs) check.Range("/targetLufs", *v >= -70 && *v <= 0, "[-70, 0] LUFS", *v);
  const std::vector<std::string> areas(std::begin(kImprovementAreas), std::end(kImprovementAreas));
  if (check.Count("/focusAreas", request.focus_areas.size(), kMaxListItems)) {
    for (size_t i = 0; i < request.focus_areas.size(); ++i) {
      const std::string& area = request.focus_areas[i];
      if (std::find(areas.begin(), areas.end(), area) != areas.end()) continue;
      check.Report("/focusAreas/" + std::to_string(i), "unknown_area",
                   "want one of " + Join(areas, ", ") + ", got \"" + Printable(area, 60) + "\"",
                   NearestName(area, areas));
    }
  }
}

void CheckCarried(const GenerateAudioRequest& request, Checker& check) {
  if (check.Count("/patterns", request.patterns.size(), kMaxPatterns)) {
    for (size_t i = 0; i < request.patterns.size(); ++i) {
      CheckPattern(request.patterns[i], "/patterns/" + std::to_string(i), check.problems);
    }
  }
  if (check.Count("/parameters", request.parameters.size(), kMaxListItems)) {
    for (const auto& [name, value] : request.parameters) {
      check.Text("/parameters", name, kMaxShortTextBytes);
      check.Text("/parameters/" + PointerToken(name), value, kMaxPathBytes);
    }
  }
}

}  // namespace

const char* QualityName(QualityTier quality) {
  const size_t index = static_cast<size_t>(quality);
  return index < std::size(kQualityNames) ? kQualityNames[index] : "unknown";
}

std::vector<std::string> QualityNames() { return {std::begin(kQualityNames), std::end(kQualityNames)}; }

bool IsKeyName(std::string_view key) {
  if (key.empty() || key[0] < 'A' || key[0] > 'G') return false;
  const size_t letters = key.size() > 1 && (key[1] == '#' || key[1] == 'b') ? 2 : 1;
  const std::string_view mode = key.substr(letters);
  return mode == " major" || mode == " minor";
}

bool IsModelId(std::string_view id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > 64 || !plain(id[0])) return false;
  return std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

std::vector<Problem> CheckRequest(const GenerateAudioRequest& request) {
  Checker check;
  check.Text("/prompt", request.prompt, kMaxPromptBytes);
  check.Text("/negativePrompt", request.negative_prompt, kMaxPromptBytes);
  check.Range("/durationSeconds", request.duration_s > 0 && request.duration_s <= kMaxDurationSeconds,
              "(0, 600] seconds", request.duration_s);
  if (request.seed < -1) check.Report("/seed", "out_of_range", "want -1 or more, got " + std::to_string(request.seed));
  if (!request.model.empty() && !IsModelId(request.model)) {
    check.Report("/model", "bad_id", "want [a-z0-9][a-z0-9._-]{0,63}, got \"" + Printable(request.model, 80) + "\"");
  }
  if (static_cast<size_t>(request.quality) >= std::size(kQualityNames)) {
    check.Report("/quality", "out_of_range", "want one of " + Join(QualityNames(), ", "));
  }
  if (const auto& v = request.takes) check.Range("/takes", *v >= 1 && *v <= kMaxTakes, "[1, 8]", *v);
  if (!request.rank_by.empty() && !IsModelId(request.rank_by)) {
    check.Report("/rankBy", "bad_id", "want [a-z0-9][a-z0-9._-]{0,63}, got \"" + Printable(request.rank_by, 80) + "\"");
  }
  CheckSampling(request, check);
  CheckMusic(request, check);
  CheckReference(request, check);
  CheckCarried(request, check);
  return std::move(check.problems);
}

absl::Status ValidateRequest(const GenerateAudioRequest& request) {
  const std::vector<Problem> problems = CheckRequest(request);
  return problems.empty() ? absl::OkStatus() : ProblemsError("invalid_request", "request", problems);
}

}  // namespace grym
