#include "generation/synth/part.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/random.h"
#include "base/status.h"

namespace grym::synth {
namespace {

constexpr int kMostVoices = 40;
constexpr int kFadeBlocks = 6;              // 4 ms, for choked and stolen voices
constexpr int64_t kEffectTailBlocks = 700;  // half a second: chorus and filters have rung out

// The same note at the same place of the same part draws the same numbers, whatever else is in the score.
uint64_t NoteSeed(size_t part, size_t index, const ScoreNote& note) {
  uint64_t state = 0x67726f6f7665ULL + part * 0x9e3779b97f4a7c15ULL + index * 0xbf58476d1ce4e5b9ULL;
  state ^= static_cast<uint64_t>(std::llround(note.start_s * 1e6)) * 0x94d049bb133111ebULL;
  state ^= static_cast<uint64_t>(note.pitch) << 40;
  return SplitMix64(state);
}

absl::Status BadNote(const InstrumentPart& part, size_t i, const char* field, double value) {
  return Error(
      absl::StatusCode::kInvalidArgument, "bad_note",
      Formatted("part \"%s\", note %d: %s is %g, which is out of range", Printable(part.stem), i, field, value));
}

absl::Status CheckNotes(const InstrumentPart& part, const Program& program) {
  const auto* kit = std::get_if<DrumKit>(&program.sound);
  for (size_t i = 0; i < part.notes.size(); ++i) {
    const ScoreNote& n = part.notes[i];
    if (!(n.start_s >= 0 && n.start_s < 86400)) return BadNote(part, i, "start_s", n.start_s);
    if (!(n.duration_s >= 0 && n.duration_s < 86400)) return BadNote(part, i, "duration_s", n.duration_s);
    if (n.pitch < 0 || n.pitch > 127) return BadNote(part, i, "pitch", n.pitch);
    if (!(n.velocity > 0 && n.velocity <= 1)) return BadNote(part, i, "velocity", n.velocity);
    if (!(std::abs(n.glide_from) <= 48)) return BadNote(part, i, "glide_from", n.glide_from);
    if (!(n.detail >= 0 && n.detail <= 1)) return BadNote(part, i, "detail", n.detail);
    if (kit && !FindDrum(*kit, n.pitch)) {
      return Error(absl::StatusCode::kInvalidArgument, "unknown_drum_key",
                   Formatted("part \"%s\", note %d: %s has no drum on key %d", Printable(part.stem), i,
                                   program.info.name, n.pitch));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPart(const InstrumentPart& part) {
  const auto bad = [&](const char* field, double value) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_part",
                 Formatted("part \"%s\": %s is %g, which is out of range", Printable(part.stem), field, value));
  };
  if (!(part.gain_db >= -120 && part.gain_db <= 40)) return bad("gain_db", part.gain_db);
  if (!(std::abs(part.pan) <= 1)) return bad("pan", part.pan);
  if (!(part.reverb_db <= 20)) return bad("reverb_db", part.reverb_db);
  if (!(part.delay_db <= 20)) return bad("delay_db", part.delay_db);
  for (const Automation& a : part.automation) {
    if (a.target != "gain_db" && a.target != "cutoff" && a.target != "pan" && a.target != "reverb_db") {
      return Error(absl::StatusCode::kInvalidArgument, "unknown_automation",
                   Formatted("part \"%s\": want an automation of gain_db, cutoff, pan or reverb_db, got \"%s\"",
                                   Printable(part.stem), Printable(a.target)));
    }
    double before = -1e300;
    for (const auto& [time, value] : a.points) {
      if (!(time >= before) || !std::isfinite(value) || std::abs(value) > 1e4f)
        return bad("a point of automation", value);
      before = time;
    }
  }
  return absl::OkStatus();
}

float SendGain(float db) { return db <= -60 ? 0 : DbToGain(db); }

}  // namespace

Ducking::Ducking(std::vector<double> kicks_s, double tempo_bpm)
    : kicks_s_(std::move(kicks_s)), release_s_(std::clamp(0.6 * 60 / std::max(tempo_bpm, 1.0), 0.12, 0.34)) {
  std::sort(kicks_s_.begin(), kicks_s_.end());
}

float Ducking::DepthAt(double time_s) {
  constexpr double kAttackS = 0.006;
  while (next_ < kicks_s_.size() && kicks_s_[next_] <= time_s) ++next_;
  if (next_ == 0) return 0;
  const double since = time_s - kicks_s_[next_ - 1];
  if (since < kAttackS) return static_cast<float>(since / kAttackS);
  const double x = 1 - (since - kAttackS) / release_s_;
  return x <= 0 ? 0 : static_cast<float>(x * x * (3 - 2 * x));
}

float PartPlayer::Curve::At(double time_s, float fallback) {
  if (!automation || automation->points.empty()) return fallback;
  const auto& points = automation->points;
  while (next < points.size() && points[next].first <= time_s) ++next;
  if (next == 0) return points.front().second;
  if (next == points.size()) return points.back().second;
  const auto& [t0, v0] = points[next - 1];
  const auto& [t1, v1] = points[next];
  return v0 + (v1 - v0) * static_cast<float>((time_s - t0) / (t1 - t0));
}

absl::StatusOr<std::unique_ptr<PartPlayer>> PartPlayer::Create(const InstrumentPart& part, size_t index, int rate_hz,
                                                               const Ducking& ducking) {
  GRYM_ASSIGN_OR_RETURN(Program program, MakeProgram(part.patch, part.settings));
  GRYM_RETURN_IF_ERROR(CheckPart(part));
  GRYM_RETURN_IF_ERROR(CheckNotes(part, program));
  return std::unique_ptr<PartPlayer>(new PartPlayer(part, index, rate_hz, ducking, std::move(program)));
}

PartPlayer::PartPlayer(const InstrumentPart& part, size_t index, int rate_hz, const Ducking& ducking, Program program)
    : part_(part),
      index_(index),
      rate_(static_cast<float>(rate_hz)),
      program_(std::move(program)),
      chain_(program_.chain, rate_),
      ducking_(ducking),
      // Voices with a filter of their own follow the cutoff curve themselves.
      low_pass_by_chain_(!std::holds_alternative<SubtractiveSpec>(program_.sound) ||
                         std::get<SubtractiveSpec>(program_.sound).filter == FilterKind::kNone),
      level_(DbToGain(part.gain_db + program_.level_db)) {
  order_.resize(part.notes.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return part.notes[a].start_s < part.notes[b].start_s; });
  for (const Automation& a : part.automation) {
    Curve& curve = a.target == "gain_db" ? gain_ : a.target == "cutoff" ? cutoff_ : a.target == "pan" ? pan_ : reverb_;
    curve.automation = &a;
  }
  delay_gain_ = SendGain(part.delay_db);
}

void PartPlayer::StartNotes(int64_t block) {
  while (next_note_ < order_.size()) {
    const double start = part_.notes[order_[next_note_]].start_s * rate_ * kBlockStep;
    if (static_cast<int64_t>(std::llround(start)) > block) break;
    StartNote(order_[next_note_++]);
  }
}

void PartPlayer::StartNote(size_t note_index) {
  const ScoreNote& n = part_.notes[note_index];
  NoteInfo info;
  info.pitch = n.pitch + program_.tune;
  info.glide_from = n.glide_from;
  info.velocity = n.velocity;
  info.detail = n.detail;
  info.gate_blocks = std::max<int64_t>(1, std::llround(n.duration_s * rate_ * kBlockStep));
  info.seed = NoteSeed(index_, note_index, n);
  info.rate_hz = rate_;
  Sounding sounding;
  sounding.voice = MakeVoice(program_, info);
  if (!sounding.voice) return;
  if (const auto* kit = std::get_if<DrumKit>(&program_.sound)) {
    sounding.choke = FindDrum(*kit, n.pitch)->choke;
    for (Sounding& other : voices_) {
      if (sounding.choke != 0 && other.choke == sounding.choke && other.fade_blocks < 0)
        other.fade_blocks = kFadeBlocks;
    }
  }
  voices_.push_back(std::move(sounding));
  int sounding_count = 0;
  for (auto it = voices_.rbegin(); it != voices_.rend(); ++it) {  // the oldest give way
    if (it->fade_blocks < 0 && ++sounding_count > kMostVoices) it->fade_blocks = kFadeBlocks;
  }
}

bool PartPlayer::RenderVoices(const VoiceModulation& modulation, Block& sum) {
  bool any = false;
  for (Sounding& s : voices_) {
    any = true;
    if (s.fade_blocks < 0) {
      if (!s.voice->Render(modulation, sum)) s.voice.reset();
      continue;
    }
    Block mine;
    mine.Clear();
    const bool alive = s.voice->Render(modulation, mine);
    const auto from = static_cast<float>(s.fade_blocks) / kFadeBlocks;
    const auto to = static_cast<float>(--s.fade_blocks) / kFadeBlocks;
    AddRamped(mine.left, from, to, sum.left);
    AddRamped(mine.right, from, to, sum.right);
    if (!alive || s.fade_blocks == 0) s.voice.reset();
  }
  voices_.erase(std::remove_if(voices_.begin(), voices_.end(), [](const Sounding& s) { return !s.voice; }),
                voices_.end());
  return any;
}

void PartPlayer::Render(int64_t block, StemBus& bus) {
  StartNotes(block);
  const double time_s = static_cast<double>(block) * kBlockFrames / rate_;
  VoiceModulation modulation;
  modulation.cutoff = std::clamp(cutoff_.At(time_s, 1), 0.001f, 100.0f);
  Block sum;
  sum.Clear();
  const bool sounding = RenderVoices(modulation, sum);
  quiet_blocks_ = sounding ? 0 : quiet_blocks_ + 1;
  if (quiet_blocks_ <= kEffectTailBlocks) chain_.Run(low_pass_by_chain_ ? modulation.cutoff : 1, sum);
  Mix(time_s, sum, bus);
}

void PartPlayer::MoveFaders(double time_s) {
  const float gain_db = gain_.At(time_s, 0), pan = pan_.At(time_s, part_.pan),
              reverb_db = reverb_.At(time_s, part_.reverb_db);
  if (gain_db != last_gain_db_) fader_ = level_ * DbToGain(gain_db);
  if (pan != last_pan_) {  // equal power, unity in the middle
    const float angle = (std::clamp(pan, -1.0f, 1.0f) + 1) * 0.78539816f;
    pan_left_ = std::cos(angle) * 1.41421356f;
    pan_right_ = std::sin(angle) * 1.41421356f;
  }
  if (reverb_db != last_reverb_db_) send_ = SendGain(reverb_db);
  last_gain_db_ = gain_db;
  last_pan_ = pan;
  last_reverb_db_ = reverb_db;
}

void PartPlayer::Mix(double time_s, const Block& sum, StemBus& bus) {
  MoveFaders(time_s);
  const float duck = part_.sidechain ? 1 - program_.chain.duck * ducking_.DepthAt(time_s) : 1;
  const float left = fader_ * duck * pan_left_, right = fader_ * duck * pan_right_, reverb = send_;
  if (left_ < 0) {
    left_ = left;
    right_ = right;
    reverb_gain_ = reverb;
  }
  if (quiet_blocks_ <= kEffectTailBlocks) {
    alignas(32) float mono[kBlockFrames] = {};
    AddRamped(sum.left, left_, left, bus.dry.left);
    AddRamped(sum.right, right_, right, bus.dry.right);
    if (reverb > 0 || reverb_gain_ > 0 || delay_gain_ > 0) {
      AddRamped(sum.left, 0.5f * left_, 0.5f * left, mono);
      AddRamped(sum.right, 0.5f * right_, 0.5f * right, mono);
      AddRamped(mono, reverb_gain_, reverb, bus.reverb);
      if (delay_gain_ > 0) AddRamped(mono, delay_gain_, delay_gain_, bus.delay);
    }
  }
  left_ = left;
  right_ = right;
  reverb_gain_ = reverb;
}

}  // namespace grym::synth
