// Scalable drawings of a report: waveform, time line of what was heard, bars of scores.
#pragma once
#include <string>
#include <vector>

#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/pattern.h"
#include "report/report.h"

namespace grym {

inline constexpr int kDrawingWidth = 1000;  // user units; the page scales them

std::string WaveformSvg(const AudioBuffer& audio);
// Sections, chords, beats and the strongest patterns over one time axis.
std::string TimelineSvg(const AudioFeatures& features, const AudioPatterns& patterns);
// One group of bars per take, one bar per part.
std::string ScoresSvg(const std::vector<ReportTake>& takes);

}  // namespace grym
