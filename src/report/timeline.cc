#include "report/timeline.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace grym {
namespace {

constexpr const char* kColours[] = {"#5b8def", "#e0709a", "#4fb286", "#e0a340",
                                    "#9b7be0", "#4db6c4", "#d9705a", "#8a9a5b"};
constexpr int kLabelWidth = 90;
constexpr size_t kMostPatterns = 12;
constexpr size_t kMostChords = 400;

class TimeAxis {
 public:
  explicit TimeAxis(double duration_s) : duration_s_(std::max(duration_s, 1e-3)) {}
  double X(double time_s) const {
    return kLabelWidth + (kDrawingWidth - kLabelWidth) * std::clamp(time_s / duration_s_, 0.0, 1.0);
  }
  double duration_s() const { return duration_s_; }

 private:
  double duration_s_;
};

std::string RowLabel(int y, std::string_view text) {
  return Formatted("<text x='0' y='%d' class='label'>%s</text>", y, EscapeHtml(text));
}

std::string Block(const TimeAxis& axis, double start_s, double end_s, int y, int height, size_t colour, double opacity,
                  std::string_view label, std::string_view tip) {
  const double x = axis.X(start_s), width = std::max(0.8, axis.X(end_s) - x);
  std::string svg = Formatted(
      "<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s' fill-opacity='%.2f' rx='2'><title>%s</title></rect>", x,
      y, width, height, kColours[colour % std::size(kColours)], opacity, EscapeHtml(tip));
  if (width > 7.0 * static_cast<double>(label.size()) + 4) {
    svg += Formatted("<text x='%.1f' y='%d' class='inside'>%s</text>", x + width / 2, y + height / 2 + 4,
                     EscapeHtml(label));
  }
  return svg;
}

std::string Ruler(const TimeAxis& axis, int y) {
  static constexpr double kSteps[] = {0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600};
  double step = kSteps[std::size(kSteps) - 1];
  for (const double candidate : kSteps) {
    if (axis.duration_s() / candidate <= 12) {
      step = candidate;
      break;
    }
  }
  std::string svg;
  for (double at = 0; at <= axis.duration_s() + 1e-9; at += step) {
    svg += Formatted(
        "<line x1='%.1f' x2='%.1f' y1='0' y2='%d' class='grid'/><text x='%.1f' y='%d' class='tick'>%g s</text>",
        axis.X(at), axis.X(at), y, axis.X(at), y + 12, at);
  }
  return svg;
}

std::string BeatRow(const TimeAxis& axis, const AudioFeatures& features, int y) {
  // A few thousand ticks would be a grey bar: draw downbeats alone then.
  const bool all = features.beats_s.size() < 1200;
  std::string path;
  if (all) {
    for (const double beat : features.beats_s) path += Formatted("M%.1f %dv8", axis.X(beat), y + 8);
  }
  for (const double beat : features.downbeats_s) path += Formatted("M%.1f %dv16", axis.X(beat), y);
  return Formatted("<path d='%s' class='beat'/>", path);
}

}  // namespace

std::string WaveformSvg(const AudioBuffer& audio) {
  constexpr int kHeight = 90;
  const AudioBuffer mono = audio.ToMono();
  std::string top, bottom;
  for (int x = 0; x < kDrawingWidth; x += 1) {
    const int64_t begin = x * mono.frames() / kDrawingWidth, end = (x + 1) * mono.frames() / kDrawingWidth;
    float low = 0, high = 0;
    for (int64_t i = begin; i < end; ++i) {
      low = std::min(low, mono.channel(0)[static_cast<size_t>(i)]);
      high = std::max(high, mono.channel(0)[static_cast<size_t>(i)]);
    }
    const double middle = kHeight / 2.0;
    top += Formatted("%s%d %.1f", x == 0 ? "M" : "L", x, middle - std::min(1.0f, high) * middle);
    bottom = Formatted("L%d %.1f", x, middle - std::max(-1.0f, low) * middle) + bottom;
  }
  return Formatted("<svg viewBox='0 0 %d %d' preserveAspectRatio='none' class='wave'><path d='%s%sZ'/></svg>",
                   kDrawingWidth, kHeight, top, bottom);
}

std::string TimelineSvg(const AudioFeatures& features, const AudioPatterns& patterns) {
  const TimeAxis axis(features.duration_s);
  std::string rows;
  int y = 4;
  rows += RowLabel(y + 15, "sections");
  for (const Section& section : features.sections) {
    rows += Block(axis, section.start_s, section.end_s, y, 22,
                  section.label.empty() ? 0 : static_cast<size_t>(section.label[0] - 'A'), 0.9, section.label,
                  Formatted("section %s, %.2f-%.2f s", section.label, section.start_s, section.end_s));
  }
  y += 30;
  rows += RowLabel(y + 15, "chords");
  for (size_t i = 0; i < features.chords.size() && i < kMostChords; ++i) {
    const Chord& chord = features.chords[i];
    if (chord.label == "N") continue;
    rows +=
        Block(axis, chord.start_s, chord.end_s, y, 22, static_cast<size_t>(chord.label[0] - 'A'),
              0.35 + 0.5 * chord.confidence, chord.label,
              Formatted("%s, %.2f-%.2f s, confidence %.2f", chord.label, chord.start_s, chord.end_s, chord.confidence));
  }
  y += 30;
  rows += RowLabel(y + 13, "beats") + BeatRow(axis, features, y);
  y += 26;
  for (size_t i = 0; i < patterns.patterns.size() && i < kMostPatterns; ++i) {
    const AudioPattern& pattern = patterns.patterns[i];
    rows += RowLabel(y + 12, PatternKindName(pattern.kind));
    for (const TimeSpan& span : pattern.spans) {
      rows += Block(axis, span.start_s, span.end_s, y, 14, static_cast<size_t>(pattern.kind) + 2,
                    0.3 + 0.6 * pattern.strength, "", pattern.description);
    }
    y += 20;
  }
  return Formatted("<svg viewBox='0 0 %d %d' class='timeline'>%s%s</svg>", kDrawingWidth, y + 18, Ruler(axis, y), rows);
}

std::string ScoresSvg(const std::vector<ReportTake>& takes) {
  if (takes.empty()) return "";
  constexpr int kHeight = 150, kTop = 14;
  const double group = static_cast<double>(kDrawingWidth) / static_cast<double>(takes.size());
  std::string svg;
  for (size_t t = 0; t < takes.size(); ++t) {
    const double left = group * static_cast<double>(t) + 10;
    const size_t bars = takes[t].parts.size() + 1;
    const double width = std::min(60.0, (group - 30) / static_cast<double>(bars));
    for (size_t b = 0; b < bars; ++b) {
      const bool whole = b == 0;
      const double score = whole ? takes[t].quality_score : takes[t].parts[b - 1].score;
      const std::string tip =
          whole ? Formatted("quality %.3f", score)
                : Formatted("%s %.3f: %s", takes[t].parts[b - 1].name, score, takes[t].parts[b - 1].text);
      const double height = std::max(1.0, score * kHeight);
      svg += Formatted("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s' rx='2'><title>%s</title></rect>",
                             left + static_cast<double>(b) * width, kTop + kHeight - height, width * 0.82, height,
                             whole ? "#4fb286" : kColours[(b - 1) % 2 == 0 ? 0 : 4], EscapeHtml(tip));
    }
    svg += Formatted("<text x='%.1f' y='%d' class='label'>%s%s: %.3f</text>", left, kTop + kHeight + 16,
                     EscapeHtml(takes[t].label), takes[t].exported ? " (exported)" : "", takes[t].quality_score);
  }
  return Formatted(
      "<svg viewBox='0 0 %d %d' class='scores'><line x1='0' x2='%d' y1='%.1f' y2='%.1f' class='goal'/>%s</svg>",
      kDrawingWidth, kTop + kHeight + 26, kDrawingWidth, kTop + kHeight * 0.2, kTop + kHeight * 0.2, svg);
}

}  // namespace grym
