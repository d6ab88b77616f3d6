#include "generation/accompaniment.h"

#include <algorithm>
#include <cmath>

#include "base/number_text.h"
#include "base/random.h"
#include "generation/bassline.h"
#include "generation/comping.h"
#include "generation/humanise.h"
#include "generation/instruments.h"
#include "generation/material.h"
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
  if (form.size() == 1) form.back().energy = 0.7;  // nothing to rise to
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

// A motif as a figure: its rhythm in sixteenths over one or two bars, its contour as voices 0 to 2 of whatever chord
// sounds, so that it cannot clash with the recording. "" without a motif.
std::string FigureOfMotif(const Material& material, int steps_per_bar) {
  if (material.motif.size() < 3 || material.motif_beats.size() < material.motif.size()) return "";
  const auto [low, high] = std::minmax_element(material.motif.begin(), material.motif.end());
  const auto bar = static_cast<size_t>(steps_per_bar);
  std::string figure;
  for (size_t i = 0; i < material.motif.size() && figure.size() < 2 * bar; ++i) {
    const double height = *high > *low ? static_cast<double>(material.motif[i] - *low) / (*high - *low) : 0;
    figure += static_cast<char>('0' + std::lround(2 * height));
    figure.append(static_cast<size_t>(std::max(1L, std::lround(4 * material.motif_beats[i]))) - 1, '-');
  }
  figure.resize(figure.size() > bar ? 2 * bar : bar, '-');
  return figure;
}

// The loop of a harmonic pattern over the whole recording, where its best place agrees with most of the chords heard.
ChordTrack LoopedChords(const Material& material, const AudioFeatures& features, const RecordedTime& time) {
  constexpr double kAgreement = 0.5;
  ChordTrack track;
  const int held = static_cast<int>(material.chord_beats), count = static_cast<int>(material.chords.size());
  if (count < 2 || held < 1 || features.chords.empty()) return track;
  const auto at_beat = [&](size_t beat, int shift) {
    return static_cast<size_t>((static_cast<int>(beat) + shift) / held % count);
  };
  struct Heard {
    size_t beat = 0;
    int root = 0;
    double confidence = 0;
  };
  std::vector<Heard> heard;
  double total = 0;
  for (size_t beat = 0, at = 0; beat < time.beats_s.size(); ++beat) {
    while (at + 1 < features.chords.size() && features.chords[at].end_s < time.beats_s[beat] + 0.2) ++at;
    const auto chord = ChordFromLabel(features.chords[at].label);
    if (!chord.ok() || chord->intervals.empty()) continue;
    heard.push_back({beat, chord->root, features.chords[at].confidence});
    total += features.chords[at].confidence;
  }
  int best_shift = 0;
  double best = 0;
  for (int shift = 0; total > 0 && shift < held * count; ++shift) {
    double agreed = 0;
    for (const Heard& one : heard) {
      if (one.root == material.chords[at_beat(one.beat, shift)].root) agreed += one.confidence;
    }
    if (agreed / total > best) {
      best = agreed / total;
      best_shift = shift;
    }
  }
  if (best < kAgreement) return track;
  for (size_t beat = 0; beat < time.beats_s.size(); ++beat) track.Append(1, material.chords[at_beat(beat, best_shift)]);
  return track;
}

PartTable AccompanyingPart(Role role, const char* stem, const char* patch, const char* figure, int low, int high,
                           double gain_db, double pan) {
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
    plan_.humanise = HumaniseOf(request);
    wish_ = ReadPrompt(request.prompt);
    for (const std::string& name : request.instruments) {
      for (const Instrument* instrument : ReadInstruments(name)) wish_.instruments.push_back(instrument);
    }
    material_ = MaterialFromPatterns(request.patterns);
    if (material_.grid.size() != static_cast<size_t>(4 * time_.meter)) material_.grid.clear();
    if (material_.meter != 0 && material_.meter != time_.meter) material_.motif.clear();
    figure_ = FigureOfMotif(material_, 4 * time_.meter);
    RemoveUnwanted(ReadPrompt(request.negative_prompt).instruments);
    RemoveUnwanted(ReadInstruments(request.negative_prompt));
    RemoveUnwanted(wish_.without);
  }

  // Shaker on eighths, a soft rim or tambourine on the weak beats: nothing that fights a drummer. With a rhythm to go
  // by its strokes are accented, on the sixteenths too, and the rest of the eighths step back.
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
        if (!material_.grid.empty()) AccentBar(section.first_bar + bar, &draft.notes);
        for (int half = 0; half < 2 * time_.meter; ++half) {
          const double beat = (section.first_bar + bar) * time_.meter + half * 0.5;
          if (beat >= plan_.body_beats || (half % 2 == 1 && random.Chance(0.12))) continue;
          const bool accented = !material_.grid.empty() && material_.grid[static_cast<size_t>(2 * half)] != '.';
          if (!accented)
            draft.notes.push_back(
                {beat, 0.25, 70, (half % 2 ? 0.42 : 0.6) * (material_.grid.empty() ? 1 : 0.6), 0, 0, 0});
          const bool weak = half % 2 == 0 && (half / 2) % 2 == 1;
          if (weak && section.energy >= 0.7 && !features_.downbeats_s.empty())
            draft.notes.push_back({beat, 0.25, 54, 0.35, 0, 0, 0});
        }
      }
    }
    Play(draft);
  }

  // Strokes of the pattern in one bar.
  void AccentBar(int bar, std::vector<DraftNote>* notes) const {
    for (size_t step = 0; step < material_.grid.size(); ++step) {
      const double beat = bar * time_.meter + 0.25 * static_cast<double>(step);
      if (material_.grid[step] == '.' || beat >= plan_.body_beats) continue;
      notes->push_back({beat, 0.25, 70, material_.grid[step] == 'X' ? 0.72 : 0.52, 0, 0, 0});
    }
  }

  // Chords as heard, else as a pattern's loop has them; empty when neither can be trusted.
  ChordTrack Chords(std::vector<std::string>* used) {
    ChordTrack chords = RecordedChords(features_, time_);
    if (!chords.empty()) return chords;
    Material loop = material_;
    TransposeMaterial(plan_.key, &loop);
    chords = LoopedChords(loop, features_, time_);
    if (!chords.empty()) used->push_back("chords");
    return chords;
  }

  void Pitched(const ChordTrack& chords, bool drone) {
    const char* pad = "pad_warm";
    const char* arp = "pluck";
    bool named_arp = false;
    for (const Instrument* instrument : wish_.instruments) {
      if (std::string_view(instrument->patch).empty()) continue;
      if (instrument->role == Role::kPad) pad = instrument->patch;
      if (instrument->role == Role::kArp || instrument->role == Role::kChords)
        arp = instrument->patch, named_arp = true;
    }
    Part(chords, AccompanyingPart(Role::kPad, "pad", pad, "~", drone ? 48 : 52, drone ? 67 : 74, 0, 0));
    if (drone) return;
    if (request_.enhancement_level >= 0.4 || named_arp) {
      PartTable table = AccompanyingPart(Role::kArp, "arp", arp, figure_.empty() ? "0-1-2-1-0-1-2-1-" : figure_.c_str(),
                                         60, 82, -4, 0.3);
      table.enters = 0.65;
      Part(chords, table);
    }
    // A bass only where the recording leaves the low end free.
    const double low_db = std::max(features_.spectral.band_energy_db[1], features_.spectral.band_energy_db[2]);
    if (low_db < -14)
      Part(chords, AccompanyingPart(Role::kBass, "bass", "bass_finger", "R-------R---L---", 31, 46, -2, 0));
  }

  Score Take() { return std::move(score_); }
  bool has(std::string_view stem) const {
    return std::any_of(score_.parts.begin(), score_.parts.end(), [&](const auto& part) { return part.stem == stem; });
  }
  bool follows_rhythm() const { return !material_.grid.empty() && has("percussion"); }
  bool follows_motif() const { return !figure_.empty() && has("arp"); }
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
    draft.notes = table.role == Role::kBass ? WriteBass(plan_, chords, table, figures)
                                            : WriteComping(plan_, chords, table, figures);
    DropEmptyChords(chords, &draft.notes);
    Play(draft);
  }

  void Play(const DraftPart& draft) {
    if (draft.notes.empty()) return;
    score_.parts.push_back(PlayPart(plan_, grid_, draft));
  }

  static double HumaniseOf(const GenerateAudioRequest& request) {
    const auto given = request.parameters.find("humanise");
    return given == request.parameters.end() ? 1 : ParseNumber(given->second).value_or(1);
  }

  const GenerateAudioRequest& request_;
  const AudioFeatures& features_;
  Material material_;
  std::string figure_;  // of the material's motif
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
    const ChordTrack chords = accompanist.Chords(&made.material);
    made.basis = chords.empty() ? "key" : "chords";
    accompanist.Pitched(chords.empty() ? Drone(heard, accompanist.time()) : chords, chords.empty());
  }
  accompanist.Percussion();
  if (accompanist.follows_rhythm()) made.material.push_back("rhythm");
  if (accompanist.follows_motif()) made.material.push_back("motif");
  made.score = accompanist.Take();
  return made;
}

}  // namespace grym
