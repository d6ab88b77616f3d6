#include "generation/render.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "generation/synth/flush_denormals.h"
#include "generation/synth/part.h"
#include "generation/synth/reverb.h"

namespace grym {
namespace {

using synth::Block;
using synth::kBlockFrames;

constexpr double kLongestS = 3600;

absl::Status CheckScore(const Score& score) {
  const auto bad = [](const char* field, double value) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_score",
                 Formatted("score: %s is %g, which is out of range", field, value));
  };
  if (score.rate_hz < 16000 || score.rate_hz > 192000) return bad("rate_hz", score.rate_hz);
  if (!(score.duration_s > 0 && score.duration_s <= kLongestS)) return bad("duration_s", score.duration_s);
  if (!(score.tempo_bpm > 0 && score.tempo_bpm <= 1000)) return bad("tempo_bpm", score.tempo_bpm);
  if (!(score.delay_s > 0 && score.delay_s <= 4)) return bad("delay_s", score.delay_s);
  if (!(score.reverb_seconds > 0 && score.reverb_seconds <= 20)) return bad("reverb_seconds", score.reverb_seconds);
  if (score.parts.size() > 256) return bad("number of parts", static_cast<double>(score.parts.size()));
  return absl::OkStatus();
}

std::vector<double> KickTimes(const Score& score) {
  std::vector<double> times;
  for (const InstrumentPart& part : score.parts) {
    const PatchInfo* info = FindPatch(part.patch);
    if (!info || info->family != "drums") continue;
    for (const ScoreNote& note : part.notes) {
      if (note.pitch == 35 || note.pitch == 36) times.push_back(note.start_s);
    }
  }
  return times;
}

// One stem: its parts, its echoes, and its lane of a reverb.
struct StemRender {
  std::string name;
  std::vector<std::unique_ptr<synth::PartPlayer>> parts;
  std::optional<synth::PingPongDelay> delay;
  bool reverb = false;
  // Drums and phase modulation are lopsided by nature, and ducking them moves that; so it is taken out behind the
  // fader.
  synth::DcBlock dc;
  synth::StemBus bus;
};

class ScoreRender {
 public:
  absl::Status Prepare(const Score& score) {
    const synth::Ducking ducking(KickTimes(score), score.tempo_bpm);
    for (size_t i = 0; i < score.parts.size(); ++i) {
      const InstrumentPart& part = score.parts[i];
      GRYM_ASSIGN_OR_RETURN(std::unique_ptr<synth::PartPlayer> player,
                            synth::PartPlayer::Create(part, i, score.rate_hz, ducking));
      StemRender& stem = StemNamed(part.stem);
      stem.parts.push_back(std::move(player));
      if (part.delay_db > -60 && !stem.delay) stem.delay.emplace(score.delay_s, static_cast<float>(score.rate_hz));
      stem.reverb = stem.reverb || part.reverb_db > -60 || Automates(part, "reverb_db");
    }
    dc_pole_ = std::exp(-6.2831853f * 6 / static_cast<float>(score.rate_hz));
    size_t lanes = 0;
    for (const StemRender& stem : stems_) lanes += stem.reverb ? 1 : 0;
    for (size_t i = 0; i < lanes; i += synth::QuadReverb::kLanes)
      reverbs_.emplace_back(score.reverb_seconds, static_cast<float>(score.rate_hz));
    return absl::OkStatus();
  }

  void Render(int64_t block) {
    for (StemRender& stem : stems_) {
      stem.bus.Clear();
      for (auto& part : stem.parts) part->Render(block, stem.bus);
      stem.dc.Run(dc_pole_, stem.bus.dry.left, stem.bus.dry.right);
      if (stem.delay) RunDelay(stem);
    }
    RunReverbs();
  }

  std::vector<StemRender>& stems() { return stems_; }
  int64_t reverb_bytes() const {
    int64_t bytes = 0;
    for (const synth::QuadReverb& reverb : reverbs_) bytes += reverb.bytes();
    return bytes;
  }

 private:
  static bool Automates(const InstrumentPart& part, const std::string& target) {
    return std::any_of(part.automation.begin(), part.automation.end(),
                       [&](const Automation& a) { return a.target == target; });
  }
  StemRender& StemNamed(const std::string& name) {
    for (StemRender& stem : stems_) {
      if (stem.name == name) return stem;
    }
    stems_.emplace_back();
    stems_.back().name = name;
    return stems_.back();
  }

  // Echoes stand in the same room as what made them, a little further back.
  static void RunDelay(StemRender& stem) {
    Block echoes;
    echoes.Clear();
    stem.delay->Run(stem.bus.delay, echoes);
    for (int i = 0; i < kBlockFrames; ++i) {
      stem.bus.dry.left[i] += echoes.left[i];
      stem.bus.dry.right[i] += echoes.right[i];
      if (stem.reverb) stem.bus.reverb[i] += 0.1f * (echoes.left[i] + echoes.right[i]);
    }
  }

  void RunReverbs() {
    std::array<const float*, synth::QuadReverb::kLanes> inputs{};
    std::array<Block*, synth::QuadReverb::kLanes> outputs{};
    size_t lane = 0, reverb = 0;
    for (StemRender& stem : stems_) {
      if (!stem.reverb) continue;
      inputs[lane] = stem.bus.reverb;
      outputs[lane] = &stem.bus.dry;
      if (++lane < inputs.size()) continue;
      reverbs_[reverb++].Run(inputs, outputs);
      inputs.fill(nullptr);
      outputs.fill(nullptr);
      lane = 0;
    }
    if (lane > 0) reverbs_[reverb].Run(inputs, outputs);
  }

  float dc_pole_ = 0;
  std::vector<StemRender> stems_;
  std::vector<synth::QuadReverb> reverbs_;
};

void CopyOut(const float* from, std::span<float> to, int64_t start, bool add) {
  const int64_t count = std::min<int64_t>(kBlockFrames, static_cast<int64_t>(to.size()) - start);
  float* const at = to.data() + start;
  for (int64_t i = 0; i < count; ++i) at[i] = add ? at[i] + from[i] : from[i];
}

}  // namespace

absl::StatusOr<Rendered> RenderScore(const Score& score, const RunOptions& run, bool keep_stems) {
  GRYM_RETURN_IF_ERROR(CheckScore(score));
  ProgressReporter progress(run);
  ScoreRender render;
  GRYM_RETURN_IF_ERROR(render.Prepare(score));
  const int64_t frames = std::llround(score.duration_s * score.rate_hz);
  Rendered rendered;
  GRYM_ASSIGN_OR_RETURN(rendered.mix, AudioBuffer::Create(2, frames, score.rate_hz));
  for (const StemRender& stem : render.stems()) {
    if (!keep_stems) break;
    GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, AudioBuffer::Create(2, frames, score.rate_hz));
    rendered.stems.push_back({stem.name, std::move(audio)});
  }
  rendered.peak_bytes =
      static_cast<int64_t>(1 + rendered.stems.size()) * 2 * frames * static_cast<int64_t>(sizeof(float)) +
      render.reverb_bytes();
  const synth::FlushDenormals flush;
  for (int64_t start = 0, block = 0; start < frames; start += kBlockFrames, ++block) {
    GRYM_RETURN_IF_ERROR(progress.Check());
    if (block % 256 == 0) progress.Report(static_cast<double>(start) / static_cast<double>(frames), "render");
    render.Render(block);
    for (size_t s = 0; s < render.stems().size(); ++s) {
      const Block& dry = render.stems()[s].bus.dry;
      CopyOut(dry.left, rendered.mix.mutable_channel(0), start, s > 0);
      CopyOut(dry.right, rendered.mix.mutable_channel(1), start, s > 0);
      if (!keep_stems) continue;
      CopyOut(dry.left, rendered.stems[s].audio.mutable_channel(0), start, false);
      CopyOut(dry.right, rendered.stems[s].audio.mutable_channel(1), start, false);
    }
  }
  progress.Report(1, "render");
  return rendered;
}

}  // namespace grym
