#include "orchestrator/hand_over.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "base/format.h"
#include "base/plain_name.h"
#include "base/status.h"

namespace grym {
namespace {

int64_t CountNonFinite(const AudioBuffer& audio) {
  const auto samples = audio.planar();
  return std::count_if(samples.begin(), samples.end(), [](float sample) { return !std::isfinite(sample); });
}

absl::Status Broken(const ChainLink& link, const std::string& what) {
  return Error(absl::StatusCode::kInternal, "bad_hand_over", "model \"" + link.model + "\": " + what);
}

}  // namespace

std::optional<double> WantedDuration(const GenerateAudioRequest& request) {
  if (!request.reference_audio.empty() || request.reference_buffer || !request.reference_midi.empty())
    return std::nullopt;
  return request.duration_s;
}

absl::Status CheckMadeAudio(const ChainLink& link, const GenerateAudioResult& made,
                            std::optional<double> wanted_duration_s) {
  const AudioBuffer& audio = made.audio;
  if (link.rate_hz > 0 && audio.rate_hz() != link.rate_hz)
    return Broken(link, Formatted("want %d Hz, got %d Hz", link.rate_hz, audio.rate_hz()));
  if (link.channels > 0 && audio.channels() != link.channels)
    return Broken(link, Formatted("want %d channels, got %d", link.channels, audio.channels()));
  if (audio.empty()) return Broken(link, "want audio, got 0 frames");
  if (const int64_t bad = CountNonFinite(audio); bad > 0)
    return Broken(link, Formatted("want finite samples, got %d that are not", bad));
  if (wanted_duration_s &&
      std::fabs(audio.duration_s() - *wanted_duration_s) > std::max(0.05, 0.01 * *wanted_duration_s)) {
    return Broken(link, Formatted("want %.3f s, got %.3f s", *wanted_duration_s, audio.duration_s()));
  }
  std::set<std::string> names;
  for (const Stem& stem : made.stems) {
    if (!IsPlainName(stem.name)) {
      return Broken(link, "stem: want a plain name, got \"" + Printable(stem.name, 64) + "\"");
    }
    if (!names.insert(stem.name).second) {
      return Broken(link, "stem \"" + Printable(stem.name, 64) + "\": want each name once, got it twice");
    }
    const AudioBuffer& part = stem.audio;
    if (part.rate_hz() != audio.rate_hz() || part.channels() != audio.channels() || part.frames() != audio.frames()) {
      return Broken(link,
                    Formatted("stem \"%s\": want %d channels, %d Hz, %d frames as the mix has, got %d, %d, %d",
                                    Printable(stem.name, 64), audio.channels(), audio.rate_hz(), audio.frames(),
                                    part.channels(), part.rate_hz(), part.frames()));
    }
    if (const int64_t bad = CountNonFinite(part); bad > 0) {
      return Broken(link, Formatted("stem \"%s\": want finite samples, got %d that are not",
                                          Printable(stem.name, 64), bad));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckGivenAudio(const ChainLink& link, const AudioBuffer& audio) {
  const auto bad_input = [&](const std::string& what) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_hand_over", "input of model \"" + link.model + "\": " + what);
  };
  if (audio.empty()) return bad_input("want audio, got 0 frames");
  if (const int64_t bad = CountNonFinite(audio); bad > 0)
    return bad_input(Formatted("want finite samples, got %d that are not", bad));
  return absl::OkStatus();
}

}  // namespace grym
