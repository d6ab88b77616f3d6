#include "report/report.h"

#include <cmath>
#include <limits>

#include "analysis/enhance/noise.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/temp_folder.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/version.h"
#include "report/picture.h"
#include "report/timeline.h"

namespace grym {
namespace {

constexpr double kEmbeddedSeconds = 60;
constexpr int kPlayerRateHz = 48000;
constexpr int kSpectrogramWidth = 900, kSpectrogramHeight = 160;

constexpr char kStyle[] = R"(
:root{color-scheme:light dark;--ink:#1d2130;--soft:#667;--paper:#fbfbfd;--card:#fff;--line:#dfe2ea}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf2;--soft:#9aa0b4;--paper:#12141c;--card:#1a1d28;--line:#2c3040}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1060px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:.2em 0}h2{font-size:1.1em;margin:1.6em 0 .5em}p{color:var(--soft);margin:.3em 0}
section.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1em;margin:1em 0}
.two{display:grid;grid-template-columns:1fr 1fr;gap:1em}@media(max-width:700px){.two{grid-template-columns:1fr}}
img{width:100%;image-rendering:auto;border-radius:6px;display:block}audio{width:100%;margin:.4em 0}
svg{width:100%;height:auto;display:block}.wave{height:70px}.wave path{fill:#5b8def}
svg text{font:11px system-ui,sans-serif;fill:var(--ink)}.tick,.label{fill:var(--soft)!important}.inside{text-anchor:middle}
.tick{text-anchor:middle}.grid{stroke:var(--line)}.beat{stroke:var(--soft);stroke-width:1;fill:none}
.goal{stroke:#4fb286;stroke-dasharray:4 4}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25em .7em .25em 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500}td.n{font-variant-numeric:tabular-nums}
.score{font-size:2em;font-weight:600}details pre{overflow:auto;font-size:12px}
)";

std::string Number(double value, const char* unit, int digits = 1) {
  if (!std::isfinite(value)) return value < 0 ? Formatted("-&infin; %s", unit) : "&ndash;";
  return Formatted("%.*f %s", digits, value, unit);
}

// The first minute as OGG inside a data URI.
absl::StatusOr<std::string> PlayerHtml(const AudioBuffer& audio) {
  AudioBuffer clip = audio.Slice(0, static_cast<int64_t>(kEmbeddedSeconds * audio.rate_hz()));
  if (clip.empty()) return std::string("<p>no audio</p>");
  if (clip.rate_hz() > kPlayerRateHz) {  // Vorbis knows no more than 200 kHz, and no browser plays it
    GRYM_ASSIGN_OR_RETURN(clip, Resample(clip, kPlayerRateHz, ResampleQuality::kMedium));
  }
  GRYM_ASSIGN_OR_RETURN(const TempFolder folder, TempFolder::Make("report"));
  SaveOptions options;
  options.container = AudioContainer::kOggVorbis;
  options.ogg_quality = 0.5;
  const std::filesystem::path file = folder.path() / "clip.ogg";
  GRYM_RETURN_IF_ERROR(SaveAudio(file, clip, options));
  GRYM_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, int64_t{64} << 20));
  return "<audio controls preload='none' src='data:audio/ogg;base64," + Base64(bytes) + "'></audio>";
}

// Against the music, since a take that is louder has its noise louder too: what counts is the distance. Only what is
// steady counts, so that held notes and reverberation are not taken for noise.
absl::StatusOr<std::string> NoiseText(const AudioBuffer& audio) {
  GRYM_ASSIGN_OR_RETURN(const NoiseFacts noise, FindNoise(audio));
  if (!std::isfinite(noise.noise_dbfs)) return std::string("none found");
  const int share = static_cast<int>(std::lround(100 * noise.share));
  return Formatted("%.1f dB below the music, in %d %% of the spectrum", noise.SnrDb(), share);
}

std::string LevelTable(const ReportContent& content, const std::string& noise_before, const std::string& noise_after) {
  const AudioFeatures &before = content.before_features, &after = content.after_features;
  std::string rows;
  const auto row = [&](const char* name, const std::string& a, const std::string& b) {
    rows += Formatted("<tr><th>%s</th><td class='n'>%s</td><td class='n'>%s</td></tr>", name, a, b);
  };
  row("loudness", Number(before.loudness.integrated_lufs, "LUFS"), Number(after.loudness.integrated_lufs, "LUFS"));
  row("loudness range", Number(before.loudness.range_lu, "LU"), Number(after.loudness.range_lu, "LU"));
  row("true peak", Number(before.loudness.true_peak_dbtp, "dBTP"), Number(after.loudness.true_peak_dbtp, "dBTP"));
  row("steady noise", noise_before, noise_after);
  row("clipped samples", Number(100 * before.condition.clipped_ratio, "%", 3),
      Number(100 * after.condition.clipped_ratio, "%", 3));
  row("hum", before.condition.hum_hz > 0 ? Number(before.condition.hum_db, "dB") : "none",
      after.condition.hum_hz > 0 ? Number(after.condition.hum_db, "dB") : "none");
  row("stereo width", Number(before.condition.stereo_width, "", 2), Number(after.condition.stereo_width, "", 2));
  row("tempo", before.tempo_bpm > 0 ? Number(before.tempo_bpm, "bpm", 2) : "unsure",
      after.tempo_bpm > 0 ? Number(after.tempo_bpm, "bpm", 2) : "unsure");
  row("key", EscapeHtml(before.key.value_or("unsure")), EscapeHtml(after.key.value_or("unsure")));
  return "<table><tr><th></th><th>before</th><th>after</th></tr>" + rows + "</table>";
}

std::string PatternTable(const AudioPatterns& patterns) {
  if (patterns.patterns.empty()) return "<p>No pattern stands out.</p>";
  std::string rows;
  for (size_t i = 0; i < patterns.patterns.size() && i < 24; ++i) {
    const AudioPattern& pattern = patterns.patterns[i];
    rows += Formatted("<tr><th>%s</th><td>%s</td><td class='n'>%d&times;</td><td class='n'>%.2f</td></tr>",
                      EscapeHtml(PatternKindName(pattern.kind)), EscapeHtml(pattern.description), pattern.spans.size(),
                      pattern.strength);
  }
  return "<table><tr><th>kind</th><th>pattern</th><th>heard</th><th>strength</th></tr>" + rows + "</table>";
}

std::string StageTable(const std::vector<EnhanceStage>& stages) {
  std::string rows;
  for (const EnhanceStage& stage : stages) {
    rows += Formatted("<tr><th>%s</th><td>%s</td><td class='n'>%s</td><td>%s</td></tr>", EscapeHtml(stage.name),
                      stage.applied ? "applied" : "not needed",
                      stage.applied && std::isfinite(stage.change_db) ? Formatted("%+.1f dB", stage.change_db) : "",
                      EscapeHtml(stage.text));
  }
  return rows.empty() ? "<p>Nothing needed repair.</p>" : "<table>" + rows + "</table>";
}

std::string TakesHtml(const std::vector<ReportTake>& takes) {
  std::string html = ScoresSvg(takes);
  for (const ReportTake& take : takes) {
    html += Formatted("<details><summary>%s: %.3f</summary><table>", EscapeHtml(take.label), take.quality_score);
    for (const ScorePart& part : take.parts) {
      html += Formatted("<tr><th>%s</th><td class='n'>%.3f</td><td>%s</td></tr>", EscapeHtml(part.name), part.score,
                        EscapeHtml(part.text));
    }
    for (const ImprovementArea& area : take.areas) {
      html += Formatted("<tr><th>improve: %s</th><td class='n'>%.2f</td><td>%s</td></tr>", EscapeHtml(area.area),
                        area.severity, EscapeHtml(area.text));
    }
    html += "</table></details>";
  }
  return html;
}

std::string Card(std::string_view heading, const std::string& body) {
  return Formatted("<section class='card'><h2>%s</h2>", EscapeHtml(heading)) + body + "</section>\n";
}

std::string FactsTable(const ReportContent& content) {
  std::string rows;
  for (const auto& [name, value] : content.facts) {
    rows += Formatted("<tr><th>%s</th><td>%s</td></tr>", EscapeHtml(name), EscapeHtml(value));
  }
  std::string styles;
  for (size_t i = 0; i < content.style.genres.size() && i < 3; ++i) {
    styles += Formatted("%s%s (%.2f)", i ? ", " : "", content.style.genres[i].label, content.style.genres[i].score);
  }
  if (!styles.empty()) {
    rows += Formatted("<tr><th>style (%s%s)</th><td>%s</td></tr>", EscapeHtml(content.style.method),
                      content.style.unsure ? ", unsure" : "", EscapeHtml(styles));
  }
  for (const std::string& warning : content.warnings)
    rows += "<tr><th>warning</th><td>" + EscapeHtml(warning) + "</td></tr>";
  return "<table>" + rows + "</table>";
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text, 20000)) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

absl::StatusOr<std::string> RenderReport(const ReportContent& content) {
  GRYM_ASSIGN_OR_RETURN(const std::string before_player, PlayerHtml(content.before));
  GRYM_ASSIGN_OR_RETURN(const std::string after_player, PlayerHtml(content.after));
  GRYM_ASSIGN_OR_RETURN(const std::string noise_before, NoiseText(content.before));
  GRYM_ASSIGN_OR_RETURN(const std::string noise_after, NoiseText(content.after));
  double before_db = 0, after_db = 0;
  const double unset = std::numeric_limits<double>::quiet_NaN();
  SpectrogramGrid(content.before, 120, 20, unset, &before_db);
  SpectrogramGrid(content.after, 120, 20, unset, &after_db);
  const double scale_db = std::max(before_db, after_db);
  const auto side = [&](const char* name, const AudioBuffer& audio, const std::string& player) {
    return Formatted("<div><h2>%s</h2>", name) + player + WaveformSvg(audio) +
           "<p>40 Hz to 16 kHz, 80 dB</p><img alt='spectrogram' src='" +
           BitmapUri(SpectrogramGrid(audio, kSpectrogramWidth, kSpectrogramHeight, scale_db, nullptr)) + "'></div>";
  };
  double score = 0;
  for (const ReportTake& take : content.takes) {
    if (take.exported) score = take.quality_score;
  }
  std::string html =
      "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><title>" +
      EscapeHtml(content.title) + "</title><style>" + kStyle + "</style></head><body>\n<h1>" +
      EscapeHtml(content.title) +
      Formatted("</h1><p><span class='score'>%.3f</span> quality of the exported take</p>\n", score);
  html += Card("What was heard", FactsTable(content));
  html += "<section class='card two'>" + side("Before", content.before, before_player) +
          side("After", content.after, after_player) + "</section>\n";
  html += Card("Levels and condition", LevelTable(content, noise_before, noise_after));
  html += Card("Beats, chords, sections and patterns of the original",
               TimelineSvg(content.before_features, content.patterns) + PatternTable(content.patterns));
  html += Card("Scores, take by take", TakesHtml(content.takes));
  html += Card("What the repair stages did", StageTable(content.stages));
  html += Card("Self-similarity: bright squares and diagonals are music that returns",
               "<img alt='self-similarity' style='max-width:420px' src='" +
                   BitmapUri(SelfSimilarityGrid(content.before_features, 320)) + "'>");
  html += Card("Provenance", "<details><summary>enough to render the take again</summary><pre>" +
                                 EscapeHtml(content.provenance_json) + "</pre></details>");
  html += "<p>" + EscapeHtml(SoftwareName()) + "</p></body></html>\n";
  return html;
}

}  // namespace grym
