#include <array>

#include "base/format.h"
#include "base/status.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {

constexpr std::array<const char*, kAnalysisParts> kPartNames = {"level", "loudness", "spectrum", "onsets", "rhythm",
                                                                "pitch", "key",      "chords",   "sections"};
static_assert(kPartNames.back() != nullptr);

std::string AllPartNames() {
  std::string names;
  for (const char* name : kPartNames) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace

const char* AnalysisPartName(AnalysisPart part) {
  const auto at = static_cast<size_t>(part);
  return at < kPartNames.size() ? kPartNames[at] : "";
}

std::optional<AnalysisPart> AnalysisPartFromName(std::string_view name) {
  for (size_t part = 0; part < kPartNames.size(); ++part) {
    if (name == kPartNames[part]) return static_cast<AnalysisPart>(part);
  }
  return std::nullopt;
}

absl::StatusOr<AnalysisParts> AnalysisPartsFromNames(const std::vector<std::string>& names) {
  AnalysisParts parts = AnalysisParts::None();
  if (names.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_parts",
                 Formatted("parts: want some of %s, got none", AllPartNames()));
  }
  for (const std::string& name : names) {
    const auto part = AnalysisPartFromName(name);
    if (!part) {
      return Error(absl::StatusCode::kInvalidArgument, "bad_parts",
                   Formatted("parts: want some of %s, got \"%s\"", AllPartNames(), Printable(name, 40)));
    }
    parts.Add(*part);
  }
  return parts;
}

void AnalysisParts::Add(AnalysisPart part) {
  if (*AnalysisPartName(part) == '\0') return;
  bits_ |= 1u << static_cast<int>(part);
  switch (part) {
    case AnalysisPart::kRhythm:  // bars are told by where the harmony changes
      Add(AnalysisPart::kOnsets);
      Add(AnalysisPart::kKey);
      break;
    case AnalysisPart::kChords:
      Add(AnalysisPart::kRhythm);
      break;
    case AnalysisPart::kSections:
      Add(AnalysisPart::kRhythm);
      Add(AnalysisPart::kSpectrum);
      break;
    default:
      break;
  }
}

}  // namespace grym
