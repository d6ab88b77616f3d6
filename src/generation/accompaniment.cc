#include "generation/accompaniment.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "generation/bassline.h"
#include "generation/comping.h"
#include "generation/humanise.h"
#include "generation/instruments.h"
#include "generation/prompt_reader.h"

namespace grym {
namespace {

// Below these the analysis guesses; measured confidences of right answers lie above.
constexpr double kSureTempo = 0.35, kSureKey = 0.3, kSureChords = 0.35;

// Bars of the recording: beats from the first downbeat, the form from its sections.
struct RecordedTime {
  std::vector<double> beats_s;
  int meter = 4;
  int bars = 0;
};

RecordedTime TimeOf(const AudioFeatures& features) {
  RecordedTime time;
  time.meter = features.meter == 3 ? 3 : 4;
  size_t first = 0;
  if (!features.downbeats_s.empty()) {
    while (first + 1 < features.beats_s.size() && features.beats_s[first] < features.downbeats_s[0] - 0.02) ++first;
  }
  time.beats_s.assign(features.beats_s.begin() + static_cast<std::ptrdiff_t>(first), features.beats_s.end());
  time.bars = (static_cast<int>(time.beats_s.size()) + time.meter - 1) / time.meter;
  return time;
}

double BarOf(const RecordedTime& time, double at_s) {
  const auto next = std::lower_bound(time.beats_s.begin(), time.beats_s.end(), at_s - 0.03);
  return static_cast<double>(next - time.beats_s.begin()) / time.meter;
}

std::vector<FormSection> FormOf(const AudioFeatures& features, const RecordedTime& time) {
  std::vector<FormSection> form;
  for (const Section& section : features.sections) {
    FormSection made;
    made.first_bar = form.empty() ? 0 : form.back().first_bar + form.back().bars;
    const int end = std::clamp(static_cast<int>(std::lround(BarOf(time, section.end_s))), 0, time.bars);
    made.bars = end - made.first_bar;
    if (made.bars < 1) continue;
    made.name = made.letter = section.label.empty() ? "A" : section.label;
    made.energy = made.letter == "A" ? 0.6 : made.letter == "B" ? 0.8 : 0.7;
    for (const FormSection& before : form) made.visit += before.letter == made.letter;
    made.energy = std::min(1.0, made.energy + 0.08 * made.visit);
    form.push_back(made);
  }
  const int covered = form.empty() ? 0 : form.back().first_bar + form.back().bars;
  if (form.empty()) form.push_back({"A", "A", 0, time.bars, 0.7, 0});
  else form.back().bars += time.bars - covered;
  return form;
}

// Chords beat by beat; the same label in a row is one chord. Empty unless most of the time has a clear chord that fits
// the key: a wrong chord clashes, silence never does.
ChordTrack RecordedChords(const AudioFeatures& features, const RecordedTime& time) {
  double sure = 0, heard = 0;
  for (const Chord& chord : features.chords) {
    const double length = chord.end_s - chord.start_s;
    if (chord.label != "N") heard += length, sure += length * chord.confidence;
  }
  ChordTrack track;
  if (heard < 0.6 * features.duration_s || sure < kSureChords * heard) return track;
  std::string last;
  double held = 0;
  const auto close = [&] {
    if (held <= 0) return;
    const auto chord = ChordFromLabel(last);
    track.Append(held, chord.ok() ? *chord : ChordTones{});
    held = 0;
  };
  const size_t beats = time.beats_s.size();
  size_t at = 0;
  for (size_t beat = 0; beat < beats; ++beat) {
    const double middle = time.beats_s[beat] + 0.2;
    while (at + 1 < features.chords.size() && features.chords[at].end_s < middle) ++at;
    const std::string& label = features.chords.empty() ? last : features.chords[at].label;
    if (label != last && held > 0) close();
    last = label;
    held += 1;
  }
  close();
  return track;
}

ChordTrack Drone(const MusicalKey& key, const RecordedTime& time) {
  ChordTrack track;
  ChordTones fifth;
  fifth.root = key.tonic;
  fifth.intervals = {0, 7};
  fifth.label = "5";
  for (int bar = 0; bar < time.bars; ++bar) track.Append(time.meter, fifth);
  return track;
}

PartTable AccompanyingPart(Role role, const char* stem, const char* patch, const char* figure, int low, int high, double gain_db,
                           double pan) {
  PartTable table;
  table.role = role;
  table.stem = stem;
  table.patches = {patch};
  table.figures = {figure};
  table.low = low;
  table.high = high;
  table.voices = 3;
  table.gain_db = gain_db;
  table.pan = pan;
  table.reverb_db = role == Role::kBass ? -60 : -14;
  return table;
}

void DropEmptyChords(const ChordTrack& chords, std::vector<DraftNote>* notes) {
  std::erase_if(*notes, [&](const DraftNote& note) { return chords.At(note.beat).chord.intervals.empty(); });
}

class Accompanist {
 public:
  Accompanist(const GenerateAudioRequest& request, const AudioFeatures& features)
      : request_(request), features_(features), time_(TimeOf(features)), grid_(BeatGrid::FromTimes(time_.beats_s)) {
    plan_.seed = static_cast<uint64_t>(request.seed);
    plan_.tempo_bpm = features.tempo_bpm;
    plan_.meter = time_.meter;
    plan_.duration_s = features.duration_s;
    plan_.bars = time_.bars;
    plan_.body_beats = static_cast<double>(time_.beats_s.size());
    plan_.adventure = std::clamp(request.temperature.value_or(1.0), 0.0, 2.0);
    plan_.form = FormOf(features, time_);
    plan_.genre.timing_ms = 3;
    plan_.genre.velocity_spread = 0.1;
    score_.duration_s = features.duration_s;
    score_.tempo_bpm = features.tempo_bpm;
    score_.meter = time_.meter;
    score_.key = features.key.value_or("");
    score_.beats_s = time_.beats_s;
    score_.delay_s = 0.75 * plan_.beat_s();
    wish_ = ReadPrompt(request.prompt);
    RemoveUnwanted(ReadPrompt(request.negative_prompt).instruments);
    RemoveUnwanted(ReadInstruments(request.negative_prompt));
    RemoveUnwanted(wish_.without);
  }

  // Shaker on eighths, a soft rim or tambourine on the weak beats: nothing that fights a drummer.
  void Percussion() {
    if (without_[static_cast<size_t>(Role::kDrums)]) return;
    DraftPart draft;
    draft.role = Role::kDrums;
    draft.head.stem = "percussion";
    draft.head.patch = "kit_acoustic";
    draft.head.midi_channel = 9;
    draft.head.reverb_db = -20;
    draft.head.settings["low_cut_hz"] = 1500;
    Random random(plan_.seed, "percussion");
    for (const FormSection& section : plan_.form) {
      for (int bar = 0; bar < section.bars; ++bar) {
        for (int half = 0; half < 2 * time_.meter; ++half) {
          const double beat = (section.first_bar + bar) * time_.meter + half * 0.5;
          if (beat >= plan_.body_beats || (half % 2 == 1 && random.Chance(0.12))) continue;
          draft.notes.push_back({beat, 0.25, 70, half % 2 ? 0.42 : 0.6, 0, 0, 0});
          const bool weak = half % 2 == 0 && (half / 2) % 2 == 1;
          if (weak && section.energy >= 0.7 && !features_.downbeats_s.empty()) draft.notes.push_back({beat, 0.25, 54, 0.35, 0, 0, 0});
        }
      }
    }
    Play(draft);
  }

  void Pitched(const ChordTrack& chords, bool drone) {
    const char* pad = "pad_warm";
    const char* arp = "pluck";
    bool named_arp = false;
    for (const Instrument* instrument : wish_.instruments) {
      if (std::string_view(instrument->patch).empty()) continue;
      if (instrument->role == Role::kPad) pad = instrument->patch;
      if (instrument->role == Role::kArp || instrument->role == Role::kChords) arp = instrument->patch, named_arp = true;
    }
    Part(chords, AccompanyingPart(Role::kPad, "pad", pad, "~", drone ? 48 : 52, drone ? 67 : 74, 0, 0));
    if (drone) return;
    if (request_.enhancement_level >= 0.4 || named_arp) {
      PartTable table = AccompanyingPart(Role::kArp, "arp", arp, "0-1-2-1-0-1-2-1-", 60, 82, -4, 0.3);
      table.enters = 0.65;
      Part(chords, table);
    }
    // A bass only where the recording leaves the low end free.
    const double low_db = std::max(features_.spectral.band_energy_db[1], features_.spectral.band_energy_db[2]);
    if (low_db < -14) Part(chords, AccompanyingPart(Role::kBass, "bass", "bass_finger", "R-------R---L---", 31, 46, -2, 0));
  }

  Score Take() { return std::move(score_); }
  const RecordedTime& time() const { return time_; }
  void set_key(const MusicalKey& key) { plan_.key = key; }

 private:
  void RemoveUnwanted(const std::vector<const Instrument*>& instruments) {
    for (const Instrument* instrument : instruments) without_[static_cast<size_t>(instrument->role)] = true;
  }

  void Part(const ChordTrack& chords, const PartTable& table) {
    if (without_[static_cast<size_t>(table.role)]) return;
    std::map<std::string, const char*> figures;
    for (const FormSection& section : plan_.form) figures[section.letter] = table.figures[0];
    DraftPart draft;
    draft.role = table.role;
    draft.head.stem = table.stem;
    draft.head.patch = table.patches[0];
    draft.head.gain_db = static_cast<float>(table.gain_db);
    draft.head.pan = static_cast<float>(table.pan);
    draft.head.reverb_db = static_cast<float>(table.reverb_db);
    draft.head.midi_program = MidiProgramOf(draft.head.patch);
    draft.head.midi_channel = static_cast<int>(score_.parts.size());
    draft.head.settings["tune"] = static_cast<float>(std::clamp(12 * std::log2(features_.tuning_hz / 440), -0.5, 0.5));
    if (table.role != Role::kBass) draft.head.settings["low_cut_hz"] = 160;  // the low end is the recording's
    draft.notes = table.role == Role::kBass ? WriteBass(plan_, chords, table, figures) : WriteComping(plan_, chords, table, figures);
    DropEmptyChords(chords, &draft.notes);
    Play(draft);
  }

  void Play(const DraftPart& draft) {
    if (draft.notes.empty()) return;
    score_.parts.push_back(PlayPart(plan_, grid_, draft));
  }

  const GenerateAudioRequest& request_;
  const AudioFeatures& features_;
  RecordedTime time_;
  BeatGrid grid_;
  PiecePlan plan_;
  Score score_;
  PromptWish wish_;
  bool without_[8] = {};
};

}  // namespace

Accompaniment Accompany(const GenerateAudioRequest& request, const AudioFeatures& features) {
  Accompaniment made;
  made.basis = "none";
  const bool steady = features.tempo_bpm > 0 && features.tempo_confidence >= kSureTempo && features.beats_s.size() >= 6;
  if (!steady || TimeOf(features).bars < 1) {
    made.warnings.push_back("composer: no steady beat was heard in the reference, so it is only cleaned");
    return made;
  }
  Accompanist accompanist(request, features);
  made.basis = "beats";
  const auto key = features.key ? ParseKey(*features.key) : absl::StatusOr<int>(absl::NotFoundError(""));
  if (key.ok() && features.key_confidence >= kSureKey) {
    const MusicalKey heard{*key % 12, *key >= 12};
    accompanist.set_key(heard);
    const ChordTrack chords = RecordedChords(features, accompanist.time());
    made.basis = chords.empty() ? "key" : "chords";
    accompanist.Pitched(chords.empty() ? Drone(heard, accompanist.time()) : chords, chords.empty());
  }
  accompanist.Percussion();
  made.score = accompanist.Take();
  return made;
}

}  // namespace grym
