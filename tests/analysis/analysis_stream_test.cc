#include "grymsynth/analysis_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <limits>
#include <thread>

#include "analysis/scoring.h"
#include "analysis/signals.h"
#include "grymsynth/error.h"
#include "support/shared_audio.h"
#include "support/test_music.h"

namespace grym {
namespace {

using namespace testing;

std::unique_ptr<AnalysisStream> StreamFor(const AudioBuffer& audio, double longest_s = 600, int most_events = 1024) {
  AnalysisStreamOptions options;
  options.rate_hz = audio.rate_hz();
  options.channels = audio.channels();
  options.longest_s = longest_s;
  options.most_events = most_events;
  return AnalysisStream::Create(options).value();
}

struct Told {
  std::vector<AnalysisEvent> events;
  std::vector<LiveAnalysis> live;  // after each block
  std::vector<double> first_known_s;  // of each event: how much audio was pushed when it came
  std::vector<double> Times(AnalysisEvent::Kind kind) const {
    std::vector<double> times;
    for (const AnalysisEvent& event : events) {
      if (event.kind == kind) times.push_back(event.time_s);
    }
    return times;
  }
};

void TakeAll(AnalysisStream& stream, Told& told) {
  std::array<AnalysisEvent, 7> some;
  for (size_t count; (count = stream.TakeEvents(some)) > 0;) {
    told.events.insert(told.events.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
    told.first_known_s.resize(told.events.size(), stream.live().time_s);
  }
}

template <class NextBlock>
Told Feed(AnalysisStream& stream, const AudioBuffer& audio, NextBlock next_block) {
  Told told;
  std::vector<const float*> channels(static_cast<size_t>(audio.channels()));
  for (int64_t at = 0; at < audio.frames();) {
    const int64_t block = std::min<int64_t>(next_block(), audio.frames() - at);
    for (int c = 0; c < audio.channels(); ++c) channels[static_cast<size_t>(c)] = audio.channel(c).data() + at;
    EXPECT_TRUE(stream.Push(channels, block));
    at += block;
    TakeAll(stream, told);
    told.live.push_back(stream.live());
  }
  return told;
}

std::string EventsText(const Told& told) {
  std::string text;
  char line[96];
  for (const AnalysisEvent& event : told.events) {
    std::snprintf(line, sizeof line, "%d %.17g %.17g\n", static_cast<int>(event.kind), event.time_s, event.late_s);
    text += line;
  }
  return text;
}

AudioBuffer Piece(double seconds, int rate_hz = 44100) {
  TestMusicOptions options;
  options.seconds = seconds;
  const AudioBuffer music = MakeTestMusic(options);
  return rate_hz == 44100 ? music : Resample(music, rate_hz).value();
}

TEST(AnalysisStreamTest, BlocksChangeNothingAndTheReportIsAnalyze) {
  for (const int rate_hz : {44100, 48000, 8000}) {
    const AudioBuffer audio = Piece(rate_hz == 44100 ? 10 : 6, rate_hz);
    const std::string want = FeaturesToJson(*Analyzed(audio), true);
    std::string events;
    Random random(5);
    for (const int64_t block : {int64_t{441}, int64_t{1}, int64_t{64}, int64_t{4096}, audio.frames(), int64_t{-1}}) {
      if (rate_hz != 44100 && block == 1) continue;
      const auto stream = StreamFor(audio);
      Told told = Feed(*stream, audio, [&] { return block < 0 ? random.Below(3000) : block; });
      const AnalysisReport report = stream->Finish().value();
      TakeAll(*stream, told);
      EXPECT_EQ(FeaturesToJson(report.features, true), want) << block << " at " << rate_hz;
      EXPECT_TRUE(report.gaps.empty());
      EXPECT_EQ(stream->live().dropped_events, 0);
      if (events.empty()) events = EventsText(told);
      EXPECT_EQ(EventsText(told), events) << block << " at " << rate_hz;
    }
    EXPECT_GT(events.size(), 300u);
  }
}

TEST(AnalysisStreamTest, InterleavedIsTheSame) {
  const AudioBuffer audio = Piece(3);
  std::vector<float> samples;
  for (size_t n = 0; n < static_cast<size_t>(audio.frames()); ++n) {
    for (int c = 0; c < 2; ++c) samples.push_back(audio.channel(c)[n]);
  }
  const auto stream = StreamFor(audio);
  EXPECT_FALSE(stream->PushInterleaved(std::span(samples).first(3)));
  EXPECT_TRUE(stream->PushInterleaved({}));
  for (size_t at = 0; at < samples.size(); at += 2000)
    ASSERT_TRUE(stream->PushInterleaved(std::span(samples).subspan(at, std::min<size_t>(2000, samples.size() - at))));
  EXPECT_EQ(FeaturesToJson(stream->Finish().value().features, true), FeaturesToJson(*Analyzed(audio), true));
}

TEST(AnalysisStreamTest, EventsComeWithinTheStatedLatency) {
  for (const int rate_hz : {44100, 48000, 8000}) {
    const AudioBuffer audio = Piece(12, rate_hz);
    const auto stream = StreamFor(audio);
    constexpr int64_t kBlock = 32;
    const Told told = Feed(*stream, audio, [] { return kBlock; });
    const double slack = static_cast<double>(kBlock) / rate_hz;
    double sum = 0, onsets = 0;
    for (size_t i = 0; i < told.events.size(); ++i) {
      const AnalysisEvent& event = told.events[i];
      const bool onset = event.kind == AnalysisEvent::Kind::kOnset;
      const double late_s = told.first_known_s[i] - event.time_s;
      // Told as soon as the audio that late_s speaks of is there, and no sooner.
      EXPECT_LE(late_s, event.late_s + slack);
      EXPECT_GE(late_s, event.late_s - 2.0 / rate_hz);
      EXPECT_LE(event.late_s, onset ? stream->onset_latency_s() : stream->beat_latency_s());
      if (onset) sum += late_s, onsets += 1;
    }
    EXPECT_LT(sum / onsets, 0.06) << "mostly 52 ms";
    EXPECT_LT(stream->onset_latency_s(), 0.09);
    EXPECT_LT(stream->beat_latency_s(), 0.23);
    for (const LiveAnalysis& live : told.live) {
      ASSERT_LE(live.time_s - live.pitch_time_s, stream->pitch_latency_s() + slack);
      ASSERT_LE(live.time_s - live.chroma_time_s, stream->chroma_latency_s() + slack);
    }
    EXPECT_LT(stream->pitch_latency_s(), 0.09);
    EXPECT_LT(stream->chroma_latency_s(), 0.3);
  }
}

TEST(AnalysisStreamTest, BeatsAndTempoOfASteadyPiece) {
  std::vector<double> want = SteadyBeats(104, 0.3, 20);
  const AudioBuffer audio = Mono(Clicks(want, 20));
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 256; });
  std::vector<double> beats = told.Times(AnalysisEvent::Kind::kBeat);
  std::erase_if(want, [](double t) { return t < 4.9; });
  std::erase_if(beats, [](double t) { return t < 4.9; });
  EXPECT_GT(MatchEvents(want, beats, 0.03).f, 0.97);
  EXPECT_NEAR(stream->live().tempo_bpm, 104, 1);
  EXPECT_GT(stream->live().tempo_confidence, 0.5);
}

TEST(AnalysisStreamTest, LoudnessSoFarIsThatOfTheReport) {
  const AudioBuffer audio = Piece(9);
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 100; });
  const AudioFeatures heard = stream->Finish().value().features;
  const LiveAnalysis& last = told.live.back();
  EXPECT_NEAR(last.integrated_lufs, heard.loudness.integrated_lufs, 0.01);
  EXPECT_NEAR(last.momentary_lufs, heard.loudness.momentary.values.back(), 1e-4);
  EXPECT_NEAR(last.short_term_lufs, heard.loudness.short_term.values.back(), 1e-4);
  EXPECT_NEAR(last.true_peak_dbtp, heard.loudness.true_peak_dbtp, 0.01);
  EXPECT_TRUE(std::isinf(told.live.front().momentary_lufs));
  // On the way: what the whole recording up to there gives.
  for (const size_t i : {size_t{900}, size_t{2205}}) {
    const AudioFeatures half = *Analyzed(audio.Slice(0, std::llround(told.live[i].time_s * 44100)));
    EXPECT_NEAR(told.live[i].integrated_lufs, half.loudness.integrated_lufs, 0.01);
    EXPECT_NEAR(told.live[i].true_peak_dbtp, half.loudness.true_peak_dbtp, 0.05);
  }
}

// The gate cuts through a bin of the histogram at worst.
TEST(AnalysisStreamTest, LoudnessOfWhatComesAndGoesIsGated) {
  std::vector<float> samples = WhiteNoise(30, 1.0, 48000);
  for (size_t n = 0; n < samples.size(); ++n) {
    const double t = static_cast<double>(n) / 48000;
    samples[n] *= static_cast<float>(std::pow(10, -(10 + 15 * (1 + std::sin(t)) + 30 * (t > 20)) / 20));
  }
  const AudioBuffer audio = Mono(samples, 48000);
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 4096; });
  const LiveAnalysis last = told.live.back();
  EXPECT_NEAR(last.integrated_lufs, stream->Finish().value().features.loudness.integrated_lufs, 0.01);
}

TEST(AnalysisStreamTest, PitchAndChromaAreHeard) {
  std::vector<float> samples = Samples(4, 44100, [](double t) {
    return t < 2 ? 0.4 * Harmonics(220, t) : 0.2 * (Harmonics(261.63, t) + Harmonics(329.63, t) + Harmonics(392, t));
  });
  const AudioBuffer audio = Mono(samples);
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 441; });
  const LiveAnalysis& tone = told.live[150];  // 1.5 s
  EXPECT_LT(CentsApart(tone.f0_hz, 220), 10);
  EXPECT_GT(tone.voicing, 0.9);
  EXPECT_EQ(tone.chroma[9], 1);  // A
  const LiveAnalysis& chord = told.live.back();
  for (int p = 0; p < 12; ++p) {
    if (p == 0 || p == 4 || p == 7) EXPECT_GT(chord.chroma[static_cast<size_t>(p)], 0.5) << p;
    else EXPECT_LT(chord.chroma[static_cast<size_t>(p)], 0.35) << p;
  }
}

TEST(AnalysisStreamTest, BadSamplesAreHeardAsSilenceAndCounted) {
  AudioBuffer audio = Piece(4);
  const AudioBuffer clean = audio;
  for (const int64_t n : {0, 1000, 50000}) {
    audio.mutable_channel(0)[static_cast<size_t>(n)] = std::numeric_limits<float>::quiet_NaN();
    audio.mutable_channel(1)[static_cast<size_t>(n)] = n > 0 ? -std::numeric_limits<float>::infinity() : 2e9f;
  }
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 333; });
  EXPECT_EQ(told.live.back().replaced_samples, 6);
  EXPECT_TRUE(std::isfinite(told.live.back().integrated_lufs));
  EXPECT_EQ(FeaturesToJson(stream->Finish().value().features, true), FeaturesToJson(*Analyzed(audio), true));
}

TEST(AnalysisStreamTest, WhatFindsNoRoomIsDroppedAndCounted) {
  const AudioBuffer audio = Piece(12);
  const auto roomy = StreamFor(audio), narrow = StreamFor(audio, 600, 16);
  const Told all = Feed(*roomy, audio, [] { return 4096; });
  ASSERT_GT(all.events.size(), 20u);
  std::vector<const float*> channels{audio.channel(0).data(), audio.channel(1).data()};
  ASSERT_TRUE(narrow->Push(channels, audio.frames()));
  Told kept;
  TakeAll(*narrow, kept);
  ASSERT_EQ(kept.events.size(), 16u);
  for (size_t i = 0; i < kept.events.size(); ++i) EXPECT_EQ(kept.events[i].time_s, all.events[i].time_s);
  EXPECT_EQ(narrow->live().dropped_events, static_cast<int64_t>(all.events.size()) - 16);
}

TEST(AnalysisStreamTest, BeyondTheLongestItSaysSo) {
  const AudioBuffer audio = Piece(9);
  const auto stream = StreamFor(audio, 5);
  const Told told = Feed(*stream, audio, [] { return 1000; });
  EXPECT_GT(told.Times(AnalysisEvent::Kind::kBeat).back(), 7);  // live goes on
  const AnalysisReport report = stream->Finish().value();
  EXPECT_EQ(report.features.duration_s, 5);
  ASSERT_FALSE(report.gaps.empty());
  EXPECT_EQ(report.gaps[0].field, "duration_s");
  EXPECT_NE(report.gaps[0].reason.find("first 5 s of 9 s"), std::string::npos) << report.gaps[0].reason;
  const AudioFeatures part = *Analyzed(audio.Slice(0, 5 * 44100));
  EXPECT_EQ(report.features.level.rms_dbfs, part.level.rms_dbfs);
  EXPECT_EQ(report.features.loudness.integrated_lufs, part.loudness.integrated_lufs);
  EXPECT_EQ(report.features.onset_strength.frames(), part.onset_strength.frames());
  EXPECT_NEAR(report.features.tempo_bpm, part.tempo_bpm, 0.5);
}

TEST(AnalysisStreamTest, RefusalsAreInWords) {
  AnalysisStreamOptions options;
  options.rate_hz = 999;
  EXPECT_EQ(AnalysisStream::Create(options).status().message(),
            "analysis stream: want rate_hz in [1000, 768000], got 999");
  options = {.channels = 33};
  EXPECT_EQ(ErrorCode(AnalysisStream::Create(options).status()), "bad_stream");
  options = {.longest_s = std::nan("")};
  EXPECT_EQ(ErrorCode(AnalysisStream::Create(options).status()), "bad_stream");
  options = {.most_events = 1};
  EXPECT_EQ(ErrorCode(AnalysisStream::Create(options).status()), "bad_stream");

  const float sample = 0.5f;
  const std::array<const float*, 2> planes{&sample, &sample};
  const auto stream = AnalysisStream::Create({.channels = 2}).value();
  EXPECT_EQ(ErrorCode(stream->Finish().status()), "no_frames");
  EXPECT_FALSE(stream->Push(std::span(planes).first(1), 1));
  EXPECT_FALSE(stream->Push(planes, -1));
  EXPECT_TRUE(stream->Push(planes, 0));
  EXPECT_EQ(stream->live().time_s, 0);
  EXPECT_TRUE(stream->Push(planes, 1));
  EXPECT_EQ(stream->Finish().value().features.frames, 1);
  EXPECT_EQ(ErrorCode(stream->Finish().status()), "finished");
  EXPECT_FALSE(stream->Push(planes, 1));

  const auto live_only = AnalysisStream::Create({.channels = 2, .longest_s = 0}).value();
  EXPECT_TRUE(live_only->Push(planes, 1));
  EXPECT_EQ(ErrorCode(live_only->Finish().status()), "no_report");
}

TEST(AnalysisStreamTest, StopsWhenAsked) {
  const AudioBuffer audio = Piece(3);
  const auto stream = StreamFor(audio);
  Feed(*stream, audio, [] { return 4096; });
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(stream->Finish(run).status().code(), absl::StatusCode::kCancelled);
}

TEST(AnalysisStreamTest, OneThreadPushesAnotherReads) {
  const AudioBuffer audio = Piece(6);
  const auto stream = StreamFor(audio);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    std::vector<const float*> channels(2);
    for (int64_t at = 0; at < audio.frames(); at += 64) {
      for (size_t c = 0; c < 2; ++c) channels[c] = audio.channel(static_cast<int>(c)).data() + at;
      stream->Push(channels, std::min<int64_t>(64, audio.frames() - at));
    }
    done = true;
  });
  double before_s = 0;
  Told told;
  while (!done) {
    const LiveAnalysis live = stream->live();
    ASSERT_GE(live.time_s, before_s);
    ASSERT_LE(live.pitch_time_s, live.time_s);
    before_s = live.time_s;
    TakeAll(*stream, told);
  }
  writer.join();
  TakeAll(*stream, told);
  const auto again = StreamFor(audio);
  EXPECT_EQ(EventsText(told), EventsText(Feed(*again, audio, [] { return 1000; })));
}

// Beside the path with its future: what a player of a tuner would see.
TEST(AnalysisStreamTest, PitchOfAGlide) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer audio = LoadAudio(SharedAudio("synthetic/glide_vibrato.flac")).value();
  const auto stream = StreamFor(audio);
  const Told told = Feed(*stream, audio, [] { return 256; });
  const Pitch pitch = stream->Finish().value().features.pitch;
  double right = 0, voiced = 0;
  for (const LiveAnalysis& live : told.live) {
    const double want = PitchAt(pitch, live.pitch_time_s);
    if (want <= 0) continue;
    voiced += 1;
    right += live.f0_hz > 0 && CentsApart(live.f0_hz, want) <= 50;
  }
  std::printf("live pitch within 50 cents of the report's: %.3f\n", right / voiced);
  EXPECT_GT(right / voiced, 0.95);
}

}  // namespace
}  // namespace grym
