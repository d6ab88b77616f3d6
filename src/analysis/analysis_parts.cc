#include <array>

#include "grymsynth/audio_features.h"

namespace grym {
namespace {
constexpr std::array<const char*, kAnalysisParts> kPartNames = {"level", "loudness", "spectrum", "onsets", "rhythm",
                                                                "pitch", "key",      "chords",   "sections"};
}

const char* AnalysisPartName(AnalysisPart part) { return kPartNames[static_cast<size_t>(part)]; }

std::optional<AnalysisPart> AnalysisPartFromName(std::string_view name) {
  for (size_t part = 0; part < kPartNames.size(); ++part) {
    if (name == kPartNames[part]) return static_cast<AnalysisPart>(part);
  }
  return std::nullopt;
}

void AnalysisParts::Add(AnalysisPart part) {
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
