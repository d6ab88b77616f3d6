#include "analysis/style.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "analysis/free_time.h"
#include "analysis/signals.h"
#include "analysis/speech.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

using namespace testing;

TEST(StyleTest, RanksEveryLabelOnceBestFirst) {
  const StyleClassification style = ClassifyStyleOf(*Analyzed(Mono(Clicks(SteadyBeats(125, 0.1, 10), 10))));
  EXPECT_GE(style.genres.size(), 12u);
  EXPECT_EQ(style.method, "rules");
  for (const auto* list : {&style.genres, &style.moods, &style.textures}) {
    std::set<std::string> labels;
    for (size_t i = 0; i < list->size(); ++i) {
      labels.insert((*list)[i].label);
      EXPECT_GE((*list)[i].score, 0);
      EXPECT_LE((*list)[i].score, 1);
      if (i > 0) {
        EXPECT_LE((*list)[i].score, (*list)[i - 1].score);
      }
    }
    EXPECT_EQ(labels.size(), list->size());
  }
}

TEST(StyleTest, SilenceIsUnsure) {
  EXPECT_TRUE(ClassifyStyleOf(*Analyzed(Mono(std::vector<float>(3 * 44100)))).unsure);
}

// Noise, rain and a lone click are nobody's style.
TEST(StyleTest, WhatIsNoMusicIsUnsure) {
  Random random(3, "unmusical");
  double brown = 0;
  const std::vector<std::pair<const char*, std::vector<float>>> sounds = {
      {"white noise", WhiteNoise(12, 0.2)},
      {"wind", Samples(12, 44100,
                       [&](double t) {
                         brown += 0.02 * (random.Normal() - brown);
                         return brown * (1 + 0.8 * std::sin(2 * std::numbers::pi * 0.23 * t));
                       })},
      {"rain", Samples(12, 44100, [&](double) { return random.Chance(0.001) ? random.Uniform(-0.4, 0.4) : 0.0; })},
      {"hum", Tone(50, 12)},
  };
  for (const auto& [name, samples] : sounds) {
    const StyleClassification style = ClassifyStyleOf(*Analyzed(Mono(samples)));
    EXPECT_TRUE(style.unsure) << name << ": " << style.genres[0].label << " " << style.genres[0].score;
  }
}

// The first label of what a voice says is speech, or nobody is sure of it; of what it sings it is not.
TEST(StyleTest, ATalkingVoiceIsNoMusic) {
  const auto style_of = [](const std::vector<float>& samples) { return ClassifyStyleOf(*Analyzed(Mono(samples))); };
  int told = 0, voices = 0;
  for (const double pitch_hz : {95.0, 130.0, 190.0, 240.0}) {
    for (const double syllables_per_s : {3.8, 5.6}) {
      const auto seed = static_cast<uint64_t>(++voices);
      const StyleClassification style = style_of(Speech(seed, 12, {pitch_hz, syllables_per_s, 1}));
      EXPECT_TRUE(style.unsure || style.genres[0].label == "speech") << seed << ": " << style.genres[0].label;
      told += style.genres[0].label == "speech";
    }
  }
  EXPECT_GE(told, voices - 1);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_NE(style_of(Song(seed, 12, 110 + 60.0 * static_cast<double>(seed), 0.25)).genres[0].label, "speech");
    EXPECT_NE(style_of(NotesInFreeTime(seed)).genres[0].label, "speech");
  }
}

TEST(StyleTest, RecordingsOfKnownStyle) {
  GRYM_NEED_SHARED_AUDIO();
  const std::vector<std::pair<const char*, const char*>> known = {
      {"real/admiralbob77_-_Choice_-_Drum-bass.ogg", "drum-and-bass"},
      {"real/147793__setuniman__sweet-waltz-0i-22mi.ogg", "waltz"},
      {"real/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg", "classical"},
      {"real/198-209-0000.ogg", "speech"},
      {"rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac", "classical"}};
  int top_three = 0, sure = 0, sure_right = 0, unsure_right = 0;
  for (const auto& [name, want] : known) {
    auto source = OpenInput(SharedAudio(name));
    ASSERT_TRUE(source.ok());
    const StyleClassification style = ClassifyStyleOf(*AnalyzeSource(**source, {}));
    bool found = false;
    for (int i = 0; i < 3; ++i) found |= style.genres[i].label == want;
    top_three += found;
    const bool right = style.genres[0].label == want;
    sure += !style.unsure;
    (style.unsure ? unsure_right : sure_right) += right;
    std::printf("%-60s %s %.2f, %s %.2f, %s %.2f%s\n", name, style.genres[0].label.c_str(), style.genres[0].score,
                style.genres[1].label.c_str(), style.genres[1].score, style.genres[2].label.c_str(),
                style.genres[2].score, style.unsure ? " (unsure)" : "");
  }
  const int unsure = static_cast<int>(known.size()) - sure;
  std::printf("sure: %d of %d right; unsure: %d of %d\n", sure_right, sure, unsure_right, unsure);
  EXPECT_GE(sure, 2);
  EXPECT_EQ(sure_right, sure);
  EXPECT_GE(top_three, 4);  // of five; 0.6 is the least we promise
}

}  // namespace
}  // namespace grym
