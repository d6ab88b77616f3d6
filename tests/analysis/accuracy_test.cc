// How well real recordings and rendered pieces of known truth are heard. Prints a table; the floors are what the best
// of librosa 0.11 reaches on the same files, or better.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "analysis/analyze.h"
#include "analysis/scoring.h"
#include "audio/block_source.h"
#include "base/fs.h"
#include "base/json.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

using testing::FMeasure;
using testing::MatchEvents;

struct Tally {
  double sum = 0;
  int count = 0;
  void Add(double value) {
    sum += value;
    ++count;
  }
  double mean() const { return count > 0 ? sum / count : 0; }
};

std::vector<double> Numbers(const Json& array) {
  std::vector<double> values;
  for (const Json& item : array.items()) values.push_back(item.number());
  return values;
}

AudioBuffer Tiled(const AudioBuffer& loop, double shortest_s) {
  AudioBuffer tiled = loop;
  while (tiled.duration_s() < shortest_s) EXPECT_TRUE(tiled.Append(loop).ok());
  return tiled;
}

// How often answers are right, by how sure they were said to be.
class Calibration {
 public:
  // `weight`: how much of an answer it is, such as seconds of a chord. No answer is one that nobody is sure of.
  void Add(double confidence, double right, double weight = 1) { answers_.push_back({confidence, right, weight}); }
  void Print(const char* what) const {
    constexpr double kEdges[] = {0, 0.25, 0.5, 0.75, 0.9, 1.0001};
    for (int band = 0; band < 5; ++band) {
      const auto [right, weight] = Within(kEdges[band], kEdges[band + 1]);
      if (weight == 0) continue;
      std::printf("| %-8s | %.2f to %.2f | %6.1f | %.2f\n", what, kEdges[band], std::min(1.0, kEdges[band + 1]), weight,
                  right);
    }
  }
  // Share of right ones and weight, of confidences in [low, high).
  std::pair<double, double> Within(double low, double high) const {
    double right = 0, all = 0;
    for (const Answer& answer : answers_) {
      if (answer.confidence < low || answer.confidence >= high) continue;
      right += answer.right * answer.weight;
      all += answer.weight;
    }
    return {all > 0 ? right / all : 0, all};
  }

 private:
  struct Answer {
    double confidence, right, weight;
  };
  std::vector<Answer> answers_;
};

// One row of the table: what was wanted, what was heard.
class Judge {
 public:
  void Hear(const Json& file) {
    const std::string name(file.at("file").text());
    const Json& truth = file.at("truth");
    absl::StatusOr<AudioBuffer> audio = LoadAudio(testing::SharedAudio(name));
    ASSERT_TRUE(audio.ok()) << audio.status();
    const double loop_s = audio->duration_s();
    if (truth.at("tile_for_tempo").boolean()) *audio = Tiled(*audio, 20);
    auto source = OpenInput(*audio);
    ASSERT_TRUE(source.ok());
    absl::StatusOr<AudioFeatures> heard = AnalyzeSource(**source, {});
    ASSERT_TRUE(heard.ok()) << heard.status();
    std::printf("%-34.34s", name.substr(name.rfind('/') + 1).c_str());
    Tempo(truth, *heard);
    Beats(truth, *heard, loop_s);
    Onsets(truth, *heard);
    Key(truth, *heard);
    Chords(truth, *heard);
    PitchOfNotes(truth, *heard);
    PitchOfTrack(truth, *heard);
    Form(truth, *heard);
    Tuning(truth, *heard);
    Meter(truth, *heard);
    Level(truth, file.at("tolerance"), *heard);
    std::printf("\n");
  }

  Tally tempo_exact, tempo_octave, beats, onsets, onset_offset, key, chords, notes, track, false_voice, form_3s,
      form_half, tuning, meter, loudness;
  int beats_invented = 0;  // files without a beat in which one was heard
  Calibration tempo_sure, beats_sure, key_sure, chords_sure;

 private:
  void Tempo(const Json& truth, const AudioFeatures& heard) {
    const double want = truth.at("tempo_bpm").number();
    if (want <= 0) {
      if (truth.at("style").text() == "speech" || truth.at("f0").size() > 0 || truth.at("trim").is_object() ||
          truth.at("loudness").is_object()) {
        beats_invented += !heard.beats_s.empty();
      }
      if (heard.tempo_bpm > 0) std::printf(" [tempo %.1f c %.2f]", heard.tempo_bpm, heard.tempo_confidence);
      return;
    }
    const bool exact = testing::TempoWithin(heard.tempo_bpm, want, 0.04),
               octave = testing::TempoUpToOctave(heard.tempo_bpm, want, 0.04);
    tempo_exact.Add(exact);
    tempo_sure.Add(heard.tempo_confidence, exact);
    tempo_octave.Add(octave);
    std::printf(" tempo %.1f/%.1f%s c %.2f", heard.tempo_bpm, want,
                exact    ? ""
                : octave ? " OCTAVE"
                         : " WRONG",
                heard.tempo_confidence);
  }

  void Beats(const Json& truth, const AudioFeatures& heard, double loop_s) {
    std::vector<double> want = Numbers(truth.at("beat_times"));
    if (want.empty()) return;
    if (truth.at("tile_for_tempo").boolean()) {
      const size_t once = want.size();
      for (double at = loop_s; at < heard.duration_s - 0.01; at += loop_s) {
        for (size_t i = 0; i < once; ++i) want.push_back(want[i] + at);
      }
    }
    const FMeasure m = MatchEvents(want, heard.beats_s, 0.07);
    beats.Add(m.f);
    beats_sure.Add(heard.tempo_confidence, m.f);
    std::printf(" beats %.2f (%+.0f ms)", m.f, 1000 * m.mean_offset_s);
  }

  void Onsets(const Json& truth, const AudioFeatures& heard) {
    std::vector<double> want = Numbers(truth.at("onset_times"));
    if (want.empty()) {
      std::set<int64_t> starts;  // notes of one chord are one onset
      for (const Json& note : truth.at("notes").items()) starts.insert(std::llround(note.at("onset").number() * 1e6));
      for (const int64_t start : starts) want.push_back(static_cast<double>(start) / 1e6);
    }
    if (want.empty()) return;
    const FMeasure m = MatchEvents(want, heard.onsets_s, 0.05);
    onsets.Add(m.f);
    onset_offset.Add(std::abs(m.mean_offset_s));
    std::printf(" onsets %.2f (p %.2f r %.2f %+.1f ms)", m.f, m.precision, m.recall, 1000 * m.mean_offset_s);
  }

  void Key(const Json& truth, const AudioFeatures& heard) {
    const std::string want(truth.at("key").text());
    // Speech has none.
    if (!want.empty() || truth.at("style").text() == "speech") key_sure.Add(heard.key_confidence, heard.key == want);
    if (want.empty()) {
      if (heard.key) std::printf(" [key %s c %.2f]", heard.key->c_str(), heard.key_confidence);
      return;
    }
    key.Add(heard.key == want);
    std::printf(" key %s c %.2f%s", heard.key.value_or("none").c_str(), heard.key_confidence,
                heard.key == want ? "" : " WRONG");
  }

  void Chords(const Json& truth, const AudioFeatures& heard) {
    double right = 0, all = 0;
    for (const Json& chord : truth.at("chords").items()) {
      for (double t = chord.at("start").number() + 0.005; t < chord.at("end").number(); t += 0.01) {
        const std::string want(chord.at("chord").text());
        for (const Chord& c : heard.chords) {
          if (t < c.start_s || t >= c.end_s) continue;
          right += testing::Triad(c.label) == want;
          chords_sure.Add(c.confidence, testing::Triad(c.label) == want, 0.01);
        }
        all += 1;
      }
    }
    if (all == 0) return;
    chords.Add(right / all);
    std::printf(" chords %.2f", right / all);
  }

  void PitchOfNotes(const Json& truth, const AudioFeatures& heard) {
    if (truth.at("notes").size() == 0 || truth.at("notes").at(size_t{0}).at("offset").is_null()) return;
    double right = 0, all = 0;
    for (const Json& note : truth.at("notes").items()) {
      std::vector<double> hz;
      for (double t = note.at("onset").number(); t < note.at("offset").number(); t += 0.005) {
        const double f0 = testing::PitchAt(heard.pitch, t);
        if (f0 > 0) hz.push_back(f0);
      }
      std::sort(hz.begin(), hz.end());
      const double want = 440 * std::exp2((note.at("midi").number() - 69) / 12);
      right += !hz.empty() && testing::CentsApart(hz[hz.size() / 2], want) <= 50;
      all += 1;
    }
    notes.Add(right / all);
    std::printf(" notes %.2f", right / all);
  }

  void PitchOfTrack(const Json& truth, const AudioFeatures& heard) {
    double right = 0, voiced = 0, invented = 0, unvoiced = 0;
    for (const Json& point : truth.at("f0").items()) {
      const double want = point.at(size_t{1}).number(),
                   f0 = testing::PitchAt(heard.pitch, point.at(size_t{0}).number());
      if (want > 0) {
        voiced += 1;
        right += f0 > 0 && testing::CentsApart(f0, want) <= 50;
      } else {
        unvoiced += 1;
        invented += f0 > 0;
      }
    }
    if (voiced == 0) return;
    track.Add(right / voiced);
    false_voice.Add(unvoiced > 0 ? invented / unvoiced : 0);
    std::printf(" f0 %.3f (false voice %.3f)", right / voiced, unvoiced > 0 ? invented / unvoiced : 0);
  }

  void Form(const Json& truth, const AudioFeatures& heard) {
    std::vector<double> want, got;
    for (const Json& segment : truth.at("segments").items()) want.push_back(segment.at("start").number());
    if (want.empty()) return;
    want.erase(want.begin());  // the file's own edges are given
    for (size_t i = 1; i < heard.sections.size(); ++i) got.push_back(heard.sections[i].start_s);
    form_3s.Add(MatchEvents(want, got, 3).f);
    form_half.Add(MatchEvents(want, got, 0.5).f);
    std::printf(" form %.2f at 3 s, %.2f at 0.5 s:", MatchEvents(want, got, 3).f, MatchEvents(want, got, 0.5).f);
    for (const Section& s : heard.sections) std::printf(" %s%.1f", s.label.c_str(), s.start_s);
  }

  void Tuning(const Json& truth, const AudioFeatures& heard) {
    const double want = truth.at("tuning_hz").number();
    if (want <= 0) return;
    tuning.Add(std::abs(heard.tuning_hz - want) <= 1.5);
    std::printf(" tuning %.1f/%.1f", heard.tuning_hz, want);
  }

  void Meter(const Json& truth, const AudioFeatures& heard) {
    const int64_t want = truth.at("meter").integer();
    if (want <= 0) return;
    meter.Add(heard.meter == want);
    std::printf(" meter %d/%d c %.2f", heard.meter, static_cast<int>(want), heard.meter_confidence);
  }

  void Level(const Json& truth, const Json& tolerance, const AudioFeatures& heard) {
    const Json& want = truth.at("loudness");
    const double slack = tolerance.at("loudness").is_string() ? 0.02 : 0.1;
    const auto check = [&](const char* what, double got, double allowed) {
      if (!want.at(what).is_number()) return;
      loudness.Add(std::abs(got - want.at(what).number()) <= allowed);
      std::printf(" %s %.2f/%.2f", what, got, want.at(what).number());
    };
    check("I", heard.loudness.integrated_lufs, slack);
    check("M", heard.loudness.max_momentary_lufs, slack);
    check("S", heard.loudness.max_short_term_lufs, slack);
    check("LRA", heard.loudness.range_lu, 1);
  }
};

TEST(AccuracyTest, RecordingsOfKnownTruth) {
  GRYM_NEED_SHARED_AUDIO();
  const absl::StatusOr<std::string> text = ReadFile(testing::SharedAudio("manifest.json"), int64_t{16} << 20);
  ASSERT_TRUE(text.ok());
  JsonLimits limits;
  limits.bytes = size_t{16} << 20;
  const absl::StatusOr<Json> manifest = Json::Parse(*text, limits);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  Judge judge;
  for (const Json& file : manifest->at("files").items()) {
    if (file.at("kind").text() != "decode") judge.Hear(file);
  }
  const auto row = [](const char* what, const Tally& tally, const char* peer) {
    std::printf("| %-28s | %5.3f | %3d | %s\n", what, tally.mean(), tally.count, peer);
  };
  std::printf("| task                         |  ours |   n | librosa 0.11, best peer\n");
  row("tempo exact", judge.tempo_exact, "0.35, Essentia Percival 0.85");
  row("tempo up to octave", judge.tempo_octave, "0.58, Essentia Percival 0.92");
  row("beats F 70 ms", judge.beats, "0.45, Essentia multifeature 0.72");
  row("onsets F 50 ms", judge.onsets, "0.81, madmom SuperFlux 0.85");
  row("key", judge.key, "0.64, Essentia Temperley 1.0");
  row("chords", judge.chords, "Essentia 0.98");
  row("pitch of notes", judge.notes, "");
  row("pitch, raw accuracy", judge.track, "pYIN 0.97, Essentia 0.987");
  row("boundaries F 3 s", judge.form_3s, "0.40");
  row("boundaries F 0.5 s", judge.form_half, "");
  row("tuning within 1.5 Hz", judge.tuning, "");
  row("meter", judge.meter, "");
  row("loudness", judge.loudness, "libebur128 1.0");
  std::printf("| of       | confidence   | answers (chords: s) | right\n");
  judge.tempo_sure.Print("tempo");
  judge.beats_sure.Print("beats, F");
  judge.key_sure.Print("key");
  judge.chords_sure.Print("chords");
  for (const Calibration* sure : {&judge.tempo_sure, &judge.beats_sure, &judge.key_sure, &judge.chords_sure}) {
    const auto [low, low_weight] = sure->Within(0, 0.75);
    const auto [high, high_weight] = sure->Within(0.75, 1.0001);
    EXPECT_GT(high_weight, 0);
    EXPECT_GE(high, 0.9);
    if (low_weight > 0) {
      EXPECT_GE(high, low - 0.1);  // of so few files one is more than that
    }
  }
  EXPECT_EQ(judge.beats_invented, 0);
  // Far above librosa, at or above the best peer without trained weights.
  EXPECT_GE(judge.tempo_exact.mean(), 0.88);
  EXPECT_GE(judge.tempo_octave.mean(), 0.95);
  EXPECT_GE(judge.beats.mean(), 0.75);
  EXPECT_GE(judge.onsets.mean(), 0.86);
  EXPECT_EQ(judge.key.mean(), 1);
  EXPECT_GE(judge.chords.mean(), 0.99);
  EXPECT_GE(judge.notes.mean(), 0.85);
  EXPECT_GE(judge.track.mean(), 0.99);
  EXPECT_LE(judge.false_voice.mean(), 0.1);
  EXPECT_GE(judge.form_3s.mean(), 0.7);
  EXPECT_EQ(judge.tuning.mean(), 1);
  EXPECT_GE(judge.meter.mean(), 0.6);
  EXPECT_EQ(judge.loudness.mean(), 1);
}

}  // namespace
}  // namespace grym
