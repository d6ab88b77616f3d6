#include "generation/synth/program.h"

#include <cmath>
#include <functional>

#include "base/format.h"
#include "base/status.h"

namespace grym::synth {
namespace {

const std::vector<Program>& AllPrograms() {
  static const std::vector<Program> programs = [] {
    std::vector<Program> all;
    for (const auto& family : {DrumPrograms(), BassPrograms(), KeysPrograms(), PadPrograms(), StringPrograms(),
                               LeadPrograms(), TexturePrograms()}) {
      all.insert(all.end(), family.begin(), family.end());
    }
    return all;
  }();
  return programs;
}

// How one setting changes a program; false where the patch has nothing of the kind.
struct SettingRule {
  PatchSetting info;
  bool (*apply)(Program&, float);
};

template <class Spec, class Change>
bool ChangeSpec(Program& program, Change change) {
  if (auto* spec = std::get_if<Spec>(&program.sound)) {
    change(*spec);
    return true;
  }
  return false;
}

bool ChangePitch(Program& program, const std::function<void(PitchSpec&)>& change) {
  return ChangeSpec<SubtractiveSpec>(program, [&](auto& s) { change(s.pitch); }) ||
         ChangeSpec<FmSpec>(program, [&](auto& s) { change(s.pitch); }) ||
         ChangeSpec<PluckSpec>(program, [&](auto& s) { change(s.pitch); });
}

bool ApplyCutoff(Program& p, float v) {
  if (!ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.cutoff_hz = v; })) p.chain.high_cut_hz = v;
  return true;
}

bool ApplyAttack(Program& p, float v) {
  return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.amp.attack_s = v; }) || ChangeSpec<FmSpec>(p, [v](auto& s) {
           for (OperatorSpec& o : s.operators) {
             if (o.target < 0) o.envelope.attack_s = v;
           }
         });
}

bool ApplyRelease(Program& p, float v) {
  return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.amp.release_s = v; }) ||
         ChangeSpec<FmSpec>(p, [v](auto& s) { s.release_s = v; }) ||
         ChangeSpec<PluckSpec>(p, [v](auto& s) { s.release_s = v; }) ||
         ChangeSpec<ModalSpec>(p, [v](auto& s) { s.release_s = v; });
}

bool ApplyDecay(Program& p, float v) {
  if (std::holds_alternative<DrumKit>(p.sound)) {
    p.length = v;
    return true;
  }
  return ChangeSpec<PluckSpec>(p, [v](auto& s) { s.decay_s *= v; }) ||
         ChangeSpec<ModalSpec>(p, [v](auto& s) { s.decay_s *= v; }) ||
         ChangeSpec<FmSpec>(p,
                            [v](auto& s) {
                              for (OperatorSpec& o : s.operators) o.envelope.decay_s *= v;
                            }) ||
         ChangeSpec<SubtractiveSpec>(p, [v](auto& s) {
           s.amp.decay_s *= v;
           s.filter_env.decay_s *= v;
         });
}

const std::vector<SettingRule>& SettingRules() {
  static const std::vector<SettingRule> rules{
      {{"cutoff_hz", 20, 20000, "filter corner at middle C; a low-pass over the part where voices have no filter"},
       ApplyCutoff},
      {{"resonance", 0, 0.97f, "of the voice filter (subtractive patches)"},
       [](Program& p, float v) { return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.resonance = v; }); }},
      {{"env_octaves", -6, 8, "what the filter envelope adds (subtractive patches)"},
       [](Program& p, float v) { return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.env_octaves = v; }); }},
      {{"env_decay_s", 0.005f, 20, "decay of the filter envelope (subtractive patches)"},
       [](Program& p, float v) { return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.filter_env.decay_s = v; }); }},
      {{"detune", 0, 4, "multiplier of the spread between oscillators (subtractive patches)"},
       [](Program& p, float v) {
         return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) {
           for (OscillatorSpec& o : s.oscillators) o.cents *= v;
         });
       }},
      {{"breath", 0, 1, "noise beside the oscillators (subtractive patches)"},
       [](Program& p, float v) { return ChangeSpec<SubtractiveSpec>(p, [v](auto& s) { s.noise = v; }); }},
      {{"attack_s", 0, 20, "time to full level (subtractive and FM patches)"}, ApplyAttack},
      {{"release_s", 0.005f, 20, "time to -60 dB after note-off (all but drums and fx)"}, ApplyRelease},
      {{"decay", 0.05f, 8, "multiplier of decay times (all but fx)"}, ApplyDecay},
      {{"vibrato_cents", 0, 100, "depth of the delayed vibrato (subtractive, FM, plucked)"},
       [](Program& p, float v) { return ChangePitch(p, [v](PitchSpec& s) { s.vibrato_cents = v; }); }},
      {{"vibrato_hz", 0.1f, 12, "its rate"},
       [](Program& p, float v) { return ChangePitch(p, [v](PitchSpec& s) { s.vibrato_hz = v; }); }},
      {{"glide_s", 0.002f, 2, "duration of ScoreNote::glide_from (subtractive, FM, plucked)"},
       [](Program& p, float v) { return ChangePitch(p, [v](PitchSpec& s) { s.glide_s = v; }); }},
      {{"tune", -24, 24, "semitones (all)"},
       [](Program& p, float v) {
         p.tune = v;
         return true;
       }},
      {{"drive", 0, 1, "soft clipping of the part (all)"},
       [](Program& p, float v) {
         p.chain.drive = v;
         return true;
       }},
      {{"low_cut_hz", 0, 5000, "high-pass of the part, 0 for none (all)"},
       [](Program& p, float v) {
         p.chain.low_cut_hz = v;
         return true;
       }},
      {{"high_cut_hz", 0, 20000, "low-pass of the part, 0 for none (all)"},
       [](Program& p, float v) {
         p.chain.high_cut_hz = v;
         return true;
       }},
      {{"chorus", 0, 1, "depth of the stereo chorus (all)"},
       [](Program& p, float v) {
         p.chain.chorus = v;
         return true;
       }},
      {{"tremolo", 0, 1, "depth of the stereo tremolo (all)"},
       [](Program& p, float v) {
         p.chain.tremolo = v;
         return true;
       }},
      {{"tremolo_hz", 0.05f, 15, "its rate"},
       [](Program& p, float v) {
         p.chain.tremolo_hz = v;
         return true;
       }},
      {{"width", 0, 2, "of the part's stereo image, 1 leaves it (all)"},
       [](Program& p, float v) {
         p.chain.width = v;
         return true;
       }},
      {{"duck", 0, 1, "depth of the side chain where the part asks for one (all)"},
       [](Program& p, float v) {
         p.chain.duck = v;
         return true;
       }},
  };
  return rules;
}

absl::Status ApplySetting(Program& program, const std::string& name, float value) {
  for (const SettingRule& rule : SettingRules()) {
    if (rule.info.name != name) continue;
    if (!(value >= rule.info.low && value <= rule.info.high)) {
      return Error(absl::StatusCode::kInvalidArgument, "bad_setting",
                   Formatted("patch %s: want %s in [%g, %g], got %g", program.info.name, name, rule.info.low,
                                   rule.info.high, value));
    }
    if (rule.apply(program, value)) return absl::OkStatus();
    return Error(absl::StatusCode::kInvalidArgument, "unknown_setting",
                 Formatted("patch %s: has nothing for the setting \"%s\"", program.info.name, name));
  }
  std::vector<std::string> names;
  for (const SettingRule& rule : SettingRules()) names.push_back(rule.info.name);
  return Error(absl::StatusCode::kInvalidArgument, "unknown_setting",
               Formatted("patch %s: want a setting of %s; got \"%s\"", program.info.name, Join(names, ", "),
                               Printable(name)));
}

}  // namespace

absl::StatusOr<Program> MakeProgram(std::string_view name, const std::map<std::string, float>& settings) {
  for (const Program& known : AllPrograms()) {
    if (known.info.name != name) continue;
    Program program = known;
    for (const auto& [key, value] : settings) GRYM_RETURN_IF_ERROR(ApplySetting(program, key, value));
    return program;
  }
  return Error(absl::StatusCode::kInvalidArgument, "unknown_patch",
               Formatted("patch: no instrument is called \"%s\"", Printable(name)));
}

std::unique_ptr<Voice> MakeVoice(const Program& program, const NoteInfo& note) {
  if (const auto* s = std::get_if<SubtractiveSpec>(&program.sound)) return MakeSubtractive(*s, note);
  if (const auto* s = std::get_if<FmSpec>(&program.sound)) return MakeFm(*s, note);
  if (const auto* s = std::get_if<PluckSpec>(&program.sound)) return MakePluck(*s, note);
  if (const auto* s = std::get_if<ModalSpec>(&program.sound)) return MakeModal(*s, note);
  if (const auto* s = std::get_if<TextureSpec>(&program.sound)) return MakeTexture(*s, note);
  const auto* kit = std::get_if<DrumKit>(&program.sound);
  const DrumSpec* drum = FindDrum(*kit, static_cast<int>(std::lround(note.pitch - program.tune)));
  return drum ? MakeDrum(*drum, note, std::exp2(program.tune / 12), program.length) : nullptr;
}

}  // namespace grym::synth

namespace grym {

std::span<const PatchInfo> Patches() {
  static const std::vector<PatchInfo> infos = [] {
    std::vector<PatchInfo> all;
    for (const synth::Program& program : synth::AllPrograms()) all.push_back(program.info);
    return all;
  }();
  return infos;
}

const PatchInfo* FindPatch(std::string_view name) {
  for (const PatchInfo& info : Patches()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

std::span<const PatchSetting> PatchSettings() {
  static const std::vector<PatchSetting> infos = [] {
    std::vector<PatchSetting> all;
    for (const synth::SettingRule& rule : synth::SettingRules()) all.push_back(rule.info);
    return all;
  }();
  return infos;
}

absl::Status CheckPatch(std::string_view name, const std::map<std::string, float>& settings) {
  return synth::MakeProgram(name, settings).status();
}

}  // namespace grym
