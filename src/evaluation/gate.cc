#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/analyze.h"
#include "analysis/enhance/clip_detect.h"
#include "analysis/enhance/flat_tops.h"
#include "audio/block_source.h"
#include "base/format.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "evaluation/clicks.h"
#include "grymsynth/evaluation.h"

namespace grym {
namespace {

constexpr double kShortS = 10;  // below it a tempo is heard less exactly
constexpr double kJudgedSeconds = 24;  // of music, for tempo and key: enough for both, and half the price of a song
constexpr double kGateSilenceDbfs = -60;
constexpr double kSilentBlockS = 0.4, kMostSilent = 0.5;
constexpr double kGateOffset = 0.01;
constexpr double kGateClippedRatio = 1e-4;
constexpr double kSureOfFlatTops = 0.5;  // a held square bass against a limiter comes near 0
constexpr size_t kGateClicks = 3;
constexpr double kSureOfTempo = 0.5, kSureOfKey = 0.6;
constexpr size_t kBeatsToJudge = 8;

class Findings {
 public:
  void Fail(const char* failure, std::string text) {
    report_.failures.push_back(failure);
    report_.texts.push_back(std::move(text));
  }
  GateReport Take() {
    report_.passed = report_.failures.empty();
    return std::move(report_);
  }

 private:
  GateReport report_;
};

// Share of the blocks of 400 ms in which no channel is above the level of silence.
double SilentShare(const AudioBuffer& audio) {
  const int64_t block = std::max<int64_t>(1, static_cast<int64_t>(kSilentBlockS * audio.rate_hz()));
  int64_t blocks = 0, silent = 0;
  for (int64_t start = 0; start < audio.frames(); start += block, ++blocks) {
    const auto length = static_cast<size_t>(std::min(block, audio.frames() - start));
    double most = 0;
    for (int c = 0; c < audio.channels(); ++c) {
      double squares = 0;
      for (const float sample : audio.channel(c).subspan(static_cast<size_t>(start), length))
        squares += static_cast<double>(sample) * sample;
      most = std::max(most, squares / static_cast<double>(length));
    }
    silent += !(DbOfPower(most) > kGateSilenceDbfs);
  }
  return blocks > 0 ? static_cast<double>(silent) / static_cast<double>(blocks) : 1;
}

void CheckSamples(const AudioBuffer& audio, Findings& findings) {
  double squares = 0, worst = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    double sum = 0;
    for (const float sample : audio.channel(c)) sum += sample, squares += static_cast<double>(sample) * sample;
    const double offset = audio.empty() ? 0 : sum / static_cast<double>(audio.frames());
    if (std::abs(offset) > std::abs(worst)) worst = offset;
  }
  const double rms_dbfs =
      audio.empty() ? kMinusInfinityDb : DbOfPower(squares / static_cast<double>(audio.planar().size()));
  if (!(rms_dbfs > kGateSilenceDbfs)) {
    findings.Fail("silence", Formatted("level: want above %.0f dBFS RMS, got %.1f", kGateSilenceDbfs, rms_dbfs));
  } else if (const double silent = SilentShare(audio); silent > kMostSilent) {
    findings.Fail("silence", Formatted("level: want at most %.0f %% of the time below %.0f dBFS RMS, got %.0f %%",
                                       100 * kMostSilent, kGateSilenceDbfs, 100 * silent));
  }
  if (std::abs(worst) > kGateOffset) {
    findings.Fail("dc", Formatted("constant offset: want at most %.3f, got %+.4f", kGateOffset, worst));
  }
}

// Frames of a channel that are cut off flat, to the last bit or what a resampler left of it, or beyond full scale.
int64_t CutOffFrames(std::span<const float> channel, const CancelToken& cancel) {
  int64_t exact = 0, over = 0;
  for (const ClippedRun& flat : FindClippedRuns(channel, cancel)) exact += flat.count;
  for (const float sample : channel) over += std::abs(sample) > 1.0f;
  const FlatTops tops = FindFlatTops(channel, cancel);
  return std::max({exact, over, tops.evidence >= kSureOfFlatTops ? tops.frames : 0});
}

absl::Status CheckWaveform(const AudioBuffer& audio, const RunOptions& run, Findings& findings) {
  int64_t clipped = 0;
  size_t clicks = 0;
  double first_click_s = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    clipped += CutOffFrames(audio.channel(c), run.cancel);
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const std::vector<int64_t> found = FindClicks(audio.channel(c), audio.rate_hz());
    if (found.size() <= clicks) continue;
    clicks = found.size();
    first_click_s = static_cast<double>(found.front()) / audio.rate_hz();
  }
  const double ratio = static_cast<double>(clipped) / static_cast<double>(audio.planar().size());
  if (ratio > kGateClippedRatio) {
    findings.Fail("clipping", Formatted("samples cut off or beyond full scale: want at most %.2f %%, got %.3f %%",
                                              100 * kGateClippedRatio, 100 * ratio));
  }
  if (clicks >= kGateClicks) {
    findings.Fail("ticking", Formatted("isolated jumps: want fewer than %d, got %d, the first at %.3f s",
                                             static_cast<int>(kGateClicks), static_cast<int>(clicks), first_click_s));
  }
  return absl::OkStatus();
}

// Octaves allowed: a listener who taps twice as fast is not wrong. A grid of three against two or four is what a
// shuffle or a dotted figure is heard as, and no sign that the music runs at another speed.
bool TempoAgrees(double wanted_bpm, double got_bpm, double within) {
  for (const double times : {0.5, 1.0, 2.0}) {
    if (std::abs(got_bpm * times / wanted_bpm - 1) <= within) return true;
  }
  for (const double times : {1.0 / 3, 2.0 / 3, 0.75, 4.0 / 3, 1.5, 3.0}) {
    if (std::abs(got_bpm * times / wanted_bpm - 1) <= 0.025) return true;
  }
  return false;
}

// Equal, the relative, or a neighbour on the circle of fifths: six of seven notes are the same, and over a few bars a
// phrase on the dominant is heard as its own key; a minor key's dominant is a major chord.
bool KeyAgrees(int wanted, int got) {
  if (wanted >= 12 && got == (wanted - 12 + 7) % 12) return true;
  const auto fifths = [](int key) { return (key < 12 ? key : (key - 12 + 3) % 12) * 7 % 12; };
  const int apart = (fifths(wanted) - fifths(got) + 12) % 12;
  return apart <= 1 || apart == 11;
}

absl::Status CheckMusic(const AudioBuffer& audio, const GateWants& wants, const RunOptions& run, Findings& findings) {
  const AudioBuffer head = audio.Slice(0, static_cast<int64_t>(kJudgedSeconds * audio.rate_hz()));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(head));
  AnalysisParts parts{AnalysisPart::kKey};
  if (wants.tempo_bpm) parts.Add(AnalysisPart::kRhythm);
  GRYM_ASSIGN_OR_RETURN(const AudioFeatures heard, AnalyzeSource(*source, run, 1, parts));
  // A dozen beats may be heard a few per cent off.
  const double within = head.duration_s() < kShortS ? 0.03 : 0.01;
  // Unsure is no evidence: a drone has no tempo to be wrong about, and four bars may be heard in more than one key.
  const bool sure_of_tempo =
      heard.tempo_bpm > 0 && heard.tempo_confidence >= kSureOfTempo && heard.beats_s.size() >= kBeatsToJudge;
  if (wants.tempo_bpm && sure_of_tempo && !TempoAgrees(*wants.tempo_bpm, heard.tempo_bpm, within)) {
    findings.Fail("tempo", Formatted("tempo: want %.2f bpm within %.0f %%, got %.2f", *wants.tempo_bpm, 100 * within,
                                     heard.tempo_bpm));
  }
  if (wants.key && heard.key && heard.key_confidence >= kSureOfKey) {
    GRYM_ASSIGN_OR_RETURN(const int wanted, ParseKey(*wants.key));
    GRYM_ASSIGN_OR_RETURN(const int got, ParseKey(*heard.key));
    if (!KeyAgrees(wanted, got))
      findings.Fail("key", Formatted("key: want %s or a near one, got %s", *wants.key, *heard.key));
  }
  return absl::OkStatus();
}

absl::Status CheckWants(const GateWants& wants) {
  const std::pair<const char*, std::optional<double>> numbers[] = {{"duration_s", wants.duration_s},
                                                                    {"tempo_bpm", wants.tempo_bpm}};
  for (const auto& [name, wanted] : numbers) {
    if (!wanted || (std::isfinite(*wanted) && *wanted > 0)) continue;
    return Error(absl::StatusCode::kInvalidArgument, "bad_wants",
                 Formatted("gate: %s: want a number above 0, got %g", name, *wanted));
  }
  return wants.key ? ParseKey(*wants.key).status() : absl::OkStatus();
}

}  // namespace

absl::StatusOr<GateReport> CheckTake(const AudioBuffer& audio, const GateWants& wants, const RunOptions& run) {
  Findings findings;
  GRYM_RETURN_IF_ERROR(CheckWants(wants));
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  if (wants.duration_s && std::abs(audio.duration_s() - *wants.duration_s) > std::max(0.05, 0.01 * *wants.duration_s)) {
    findings.Fail("duration", Formatted("duration: want %.3f s, got %.3f s", *wants.duration_s, audio.duration_s()));
  }
  const auto strange =
      std::count_if(audio.planar().begin(), audio.planar().end(), [](float x) { return !std::isfinite(x); });
  if (strange > 0) {  // nothing else can be measured
    findings.Fail("non_finite",
                  Formatted("samples: want numbers, got %d NaN or infinite", static_cast<int64_t>(strange)));
    return findings.Take();
  }
  CheckSamples(audio, findings);
  if (audio.empty()) return findings.Take();
  GRYM_RETURN_IF_ERROR(CheckWaveform(audio, run, findings));
  if (wants.tempo_bpm || wants.key) GRYM_RETURN_IF_ERROR(CheckMusic(audio, wants, run, findings));
  return findings.Take();
}

}  // namespace grym
