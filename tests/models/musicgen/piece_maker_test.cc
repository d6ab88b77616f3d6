#include "models/musicgen/piece_maker.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "fake_nets.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

using testing::FakeNets;
using testing::FakeShape;

PieceSettings Settings(const MusicgenShape& shape, int64_t frames, int64_t seed = 3) {
  PieceSettings settings;
  settings.frames = frames;
  settings.samples = frames * shape.hop;
  settings.window = 300;
  settings.stride = 180;
  settings.sampling = shape.defaults;
  settings.seed = seed;
  settings.text = std::make_shared<const TextStates>(TextStates{1, 2, {static_cast<float>(seed), 1}});
  return settings;
}

using Sound = std::vector<std::vector<float>>;

void Append(const Sound& more, Sound& sound) {
  sound.resize(more.size());
  for (size_t c = 0; c < more.size(); ++c) sound[c].insert(sound[c].end(), more[c].begin(), more[c].end());
}

// Everything of all pieces.
std::vector<Sound> MakeAll(PieceMaker& maker, size_t pieces = 1) {
  std::vector<Sound> sounds(pieces);
  int64_t steps = 0;
  while (!maker.done() && ++steps < 100'000) {
    const absl::Status status = maker.Step({});
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) break;
    for (size_t i = 0; i < pieces; ++i) Append(maker.TakeSamples(i), sounds[i]);
  }
  return sounds;
}

TEST(PieceMakerTest, OneWindowHoldsEveryFrameOnce) {
  const FakeNets nets(FakeShape(2));
  PieceMaker maker(nets, {Settings(nets.shape(), 120)});
  const auto sounds = MakeAll(maker);
  ASSERT_EQ(sounds[0].size(), 2u);
  EXPECT_EQ(sounds[0][0].size(), 120u * 160);
  EXPECT_NE(sounds[0][0], sounds[0][1]);
  // One column for each frame, three more for the delay, and the first column is given.
  EXPECT_EQ(maker.steps(), 123);
  EXPECT_EQ(nets.record.most_rows, 2);
  for (const int32_t code : maker.Codes(0)) EXPECT_TRUE(code >= 0 && code < 12);
}

TEST(PieceMakerTest, SoundIsThatOfTheCodesAtOnce) {
  const FakeNets nets(FakeShape());
  PieceMaker maker(nets, {Settings(nets.shape(), 700)});
  const auto sounds = MakeAll(maker);
  testing::FakeSound whole(nets.shape(), &nets.record);
  std::vector<float> wanted = whole.Push(maker.Codes(0), 700).value();
  const std::vector<float> rest = whole.Finish().value();
  wanted.insert(wanted.end(), rest.begin(), rest.end());
  EXPECT_EQ(sounds[0][0], wanted);
}

TEST(PieceMakerTest, FirstSoundComesAfterLittleMoreThanHalfASecond) {
  const FakeNets nets(FakeShape());
  PieceMaker maker(nets, {Settings(nets.shape(), 200)});
  while (maker.TakeSamples(0)[0].empty()) ASSERT_TRUE(maker.Step({}).ok());
  EXPECT_LE(maker.steps(), 30);
}

TEST(PieceMakerTest, WindowsOverlapAndCoverThePiece) {
  const FakeNets nets(FakeShape());
  PieceMaker maker(nets, {Settings(nets.shape(), 700)});
  MakeAll(maker);
  const auto& windows = maker.state(0).windows;
  ASSERT_EQ(windows.size(), 4u);  // 300, then 180 each
  EXPECT_EQ(windows[1].start, 180);
  EXPECT_EQ(windows[1].prompt, 120);
  EXPECT_EQ(windows[3].start, 540);
  EXPECT_EQ(windows[3].end(), 700);
  for (size_t w = 1; w < windows.size(); ++w) {
    for (int64_t f = 0; f < windows[w].prompt; ++f) {
      EXPECT_EQ(windows[w].codes[static_cast<size_t>(f)],
                windows[w - 1].codes[static_cast<size_t>(f + windows[w].start - windows[w - 1].start)]);
    }
  }
  EXPECT_EQ(nets.record.states, 4);
  EXPECT_EQ(maker.seams(0).seams(), 3);
  EXPECT_GT(maker.seams(0).ratio(), 0);
}

TEST(PieceMakerTest, APieceIsTheSameWhateverIsBesideIt) {
  const MusicgenShape shape = FakeShape();
  const FakeNets nets(shape);
  const int64_t frames[] = {130, 400, 90};
  std::vector<PieceSettings> together;
  std::vector<std::vector<int32_t>> alone;
  std::vector<Sound> alone_sounds;
  for (int i = 0; i < 3; ++i) {
    PieceSettings settings = Settings(shape, frames[i], 10 + i);
    if (i == 1) settings.sampling.guidance = 1;
    if (i == 2) settings.sampling.temperature = 0;
    together.push_back(settings);
    PieceMaker maker(nets, {settings});
    alone_sounds.push_back(MakeAll(maker)[0]);
    alone.push_back(maker.Codes(0));
  }
  nets.record.most_rows = 0;
  PieceMaker maker(nets, together);
  const auto sounds = MakeAll(maker, 3);
  EXPECT_EQ(nets.record.most_rows, 5);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(maker.Codes(i), alone[i]) << i;
    EXPECT_EQ(sounds[i], alone_sounds[i]) << i;
  }
}

TEST(PieceMakerTest, SeedTextMelodyAndGuidanceAllCount) {
  const FakeNets nets(FakeShape(1, true));
  const auto codes = [&nets](const PieceSettings& settings) {
    PieceMaker maker(nets, {settings});
    MakeAll(maker);
    return maker.Codes(0);
  };
  PieceSettings settings = Settings(nets.shape(), 60);
  settings.sampling.temperature = 0;
  const auto plain = codes(settings);
  EXPECT_EQ(codes(settings), plain);
  PieceSettings other = settings;
  other.text = std::make_shared<const TextStates>(TextStates{1, 2, {9, 1}});
  EXPECT_NE(codes(other), plain);
  other = settings;
  other.sampling.guidance = 1.5;
  EXPECT_NE(codes(other), plain);
  other = settings;
  other.melody = Melody{{1, 2, 3}, {}, {}};
  const auto with_melody = codes(other);
  EXPECT_NE(with_melody, plain);
  other.melody = Melody{{1, 2, 4}, {}, {}};
  EXPECT_NE(codes(other), with_melody);
  other = settings;
  other.sampling.temperature = 1;
  const auto sampled = codes(other);
  EXPECT_NE(sampled, plain);
  other.seed = 4;
  EXPECT_NE(codes(other), sampled);
}

TEST(PieceMakerTest, APromptStaysAndIsGoneOnFrom) {
  const FakeNets nets(FakeShape());
  PieceSettings settings = Settings(nets.shape(), 100);
  settings.prompt_frames = 30;
  settings.prompt.resize(4 * 30);
  for (size_t i = 0; i < settings.prompt.size(); ++i) settings.prompt[i] = static_cast<int32_t>(i * 7 % 12);
  PieceMaker maker(nets, {settings});
  const auto sounds = MakeAll(maker);
  EXPECT_EQ(sounds[0][0].size(), 100u * 160);
  const std::vector<int32_t> codes = maker.Codes(0);
  for (size_t b = 0; b < 4; ++b) {
    for (size_t f = 0; f < 30; ++f) EXPECT_EQ(codes[b * 100 + f], settings.prompt[b * 30 + f]);
  }
  EXPECT_EQ(maker.steps(), 73);  // 70 frames and the delay
  settings.prompt[29] = (settings.prompt[29] + 1) % 12;
  PieceMaker other(nets, {settings});
  MakeAll(other);
  const std::vector<int32_t> others = other.Codes(0);
  EXPECT_FALSE(std::equal(codes.begin() + 30, codes.begin() + 100, others.begin() + 30));
}

TEST(PieceMakerTest, CancelledLosesNothing) {
  const FakeNets nets(FakeShape());
  PieceMaker whole(nets, {Settings(nets.shape(), 500)});
  const auto wanted = MakeAll(whole);
  PieceMaker maker(nets, {Settings(nets.shape(), 500)});
  CancelToken cancelled;
  cancelled.Cancel();
  Sound sound;
  while (!maker.done()) {
    ASSERT_TRUE(absl::IsCancelled(maker.Step(cancelled)));
    ASSERT_TRUE(maker.Step({}).ok());
    Append(maker.TakeSamples(0), sound);
  }
  EXPECT_EQ(sound, wanted[0]);
}

// From every step of a piece of three windows.
TEST(PieceMakerTest, GoesOnFromAnyState) {
  for (const int64_t fade : {0, 20}) {
    const FakeNets nets(FakeShape());
    PieceSettings settings = Settings(nets.shape(), 640);
    settings.window = 250;
    settings.stride = 200;
    settings.fade_frames = fade;
    PieceMaker whole(nets, {settings});
    const auto wanted = MakeAll(whole);
    PieceMaker maker(nets, {settings});
    for (int64_t step = 0; !maker.done(); ++step) {
      if (step % 83 == 5 || step == 252 || step == 253) {
        PieceMaker resumed(nets, {settings});
        ASSERT_TRUE(resumed.Restore(maker.state(0), {}, {}).ok()) << step;
        EXPECT_EQ(MakeAll(resumed), wanted) << step;
        EXPECT_EQ(resumed.Codes(0), whole.Codes(0)) << step;
      }
      ASSERT_TRUE(maker.Step({}).ok());
    }
  }
}

// The codec hears nothing twice, and the measure of seams goes on.
TEST(PieceMakerTest, GoesOnWithTheSoundThatWasTaken) {
  const FakeNets nets(FakeShape(2));
  PieceSettings settings = Settings(nets.shape(), 640);
  settings.window = 250;
  settings.stride = 200;
  PieceMaker whole(nets, {settings});
  const auto wanted = MakeAll(whole);
  PieceMaker maker(nets, {settings});
  Sound taken(2);
  for (int64_t step = 0; !maker.done(); ++step) {
    Append(maker.TakeSamples(0), taken);
    const auto memory = maker.sound(0);
    ASSERT_EQ(memory.has_value(), maker.released(0) > 0) << step;
    if (memory && (step % 83 == 5 || step == 252 || step == 253)) {
      PieceMaker resumed(nets, {settings});
      const int64_t pushed = nets.record.pushed;
      ASSERT_TRUE(resumed.Restore(maker.state(0), memory, {}).ok()) << step;
      EXPECT_EQ(nets.record.pushed, pushed);
      EXPECT_EQ(resumed.taken(0), static_cast<int64_t>(taken[0].size()));
      Sound all = taken;
      Append(MakeAll(resumed)[0], all);
      EXPECT_EQ(all, wanted[0]) << step;
      EXPECT_EQ(nets.record.pushed, pushed + 640 - memory->frames);
      EXPECT_EQ(resumed.seams(0).seams(), whole.seams(0).seams());
      EXPECT_EQ(resumed.seams(0).ratio(), whole.seams(0).ratio());
    }
    ASSERT_TRUE(maker.Step({}).ok());
  }
}

TEST(PieceMakerTest, SoundThatIsNotTheStatesIsRefused) {
  const FakeNets nets(FakeShape());
  const PieceSettings settings = Settings(nets.shape(), 500);
  PieceMaker maker(nets, {settings});
  for (int i = 0; i < 350; ++i) {
    ASSERT_TRUE(maker.Step({}).ok());
    maker.TakeSamples(0);
  }
  const SoundMemory good = maker.sound(0).value();
  const auto code = [&](auto&& damage, PieceSettings of) {
    SoundMemory memory = good;
    damage(memory);
    PieceMaker resumed(nets, {std::move(of)});
    return ErrorCode(resumed.Restore(maker.state(0), memory, {}));
  };
  EXPECT_EQ(code([](SoundMemory&) {}, settings), "ok");
  EXPECT_EQ(code([](SoundMemory& m) { m.frames = 0; }, settings), "bad_state");
  EXPECT_EQ(code([](SoundMemory& m) { m.frames = 400; }, settings), "bad_state");
  EXPECT_EQ(code([](SoundMemory& m) { m.codec.pop_back(); }, settings), "bad_state");
  EXPECT_EQ(code([](SoundMemory& m) { m.seams.push_back(0); }, settings), "bad_state");
  PieceMaker early(nets, {settings});
  EXPECT_EQ(ErrorCode(early.Restore(early.state(0), good, {})), "bad_state");
  // A piece that crosses its windows is made again.
  PieceSettings fading = settings;
  fading.fade_frames = 20;
  PieceMaker crossing(nets, {fading});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(crossing.Step({}).ok());
    crossing.TakeSamples(0);
  }
  EXPECT_FALSE(crossing.sound(0).has_value());
  PieceMaker resumed(nets, {fading});
  EXPECT_EQ(ErrorCode(resumed.Restore(crossing.state(0), good, {})), "bad_state");
}

TEST(PieceMakerTest, StatesThatContradictTheSettingsAreRefused) {
  const FakeNets nets(FakeShape());
  PieceSettings settings = Settings(nets.shape(), 500);
  PieceMaker maker(nets, {settings});
  for (int i = 0; i < 350; ++i) ASSERT_TRUE(maker.Step({}).ok());
  const PieceState good = maker.state(0);
  ASSERT_EQ(good.windows.size(), 2u);
  const auto refused = [&](auto&& damage) {
    PieceState state = good;
    damage(state);
    PieceMaker resumed(nets, {settings});
    const absl::Status status = resumed.Restore(state, {}, {});
    return absl::IsDataLoss(status) && ErrorCode(status) == "bad_state";
  };
  EXPECT_TRUE(refused([](PieceState& s) { s.random = {}; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[0].codes[5] = 12; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[0].codes[5] = -1; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[0].codes.pop_back(); }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[0].columns = 3; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[1].columns = 9000; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[1].columns += 1; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[1].start += 1; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[0].cut = 3; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows[1].codes[0] = (s.windows[1].codes[0] + 1) % 12; }));
  EXPECT_TRUE(refused([](PieceState& s) { s.windows.push_back(s.windows[1]); }));
  EXPECT_FALSE(refused([](PieceState&) {}));
}

// A cut from which the next window would begin where this one did: a piece without an end.
TEST(PieceMakerTest, CutsThatNoFadeLeadsToAreRefused) {
  const FakeNets nets(FakeShape());
  PieceSettings settings = Settings(nets.shape(), 640);
  settings.window = 250;
  settings.stride = 200;
  settings.fade_frames = 20;
  PieceMaker maker(nets, {settings});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(maker.Step({}).ok());
  PieceState state = maker.state(0);
  ASSERT_EQ(state.windows.size(), 2u);
  const int64_t back = SoundTrack::MostBack(nets.shape(), settings.fade_frames);
  for (const int64_t cut : {int64_t{10}, int64_t{30}, 250 - back - 1, int64_t{231}}) {
    state.windows[0].cut = cut;
    state.windows.resize(1);
    PieceMaker resumed(nets, {settings});
    EXPECT_EQ(ErrorCode(resumed.Restore(state, {}, {})), "bad_state") << cut;
  }
}

TEST(PieceMakerTest, MoreStepsNeverMakeLess) {
  const FakeNets nets(FakeShape());
  PieceSettings settings = Settings(nets.shape(), 700);
  settings.window = 250;
  settings.stride = 200;
  settings.fade_frames = 20;
  int64_t before = 0;
  for (int64_t most = 1; most < 3000; ++most) {
    settings.most_steps = most;
    const int64_t frames = WindowPlan::FramesWithin(nets.shape(), settings);
    EXPECT_GE(frames, before) << most;
    before = frames;
  }
  EXPECT_EQ(before, 700);
}

TEST(PieceMakerTest, ABudgetOfStepsEndsThePiece) {
  const FakeNets nets(FakeShape());
  PieceSettings settings = Settings(nets.shape(), 700);
  for (const int64_t most : {50, 303, 304, 350, 5000}) {
    settings.most_steps = most;
    PieceMaker maker(nets, {settings});
    const auto sounds = MakeAll(maker);
    EXPECT_LE(maker.steps(), most);
    EXPECT_EQ(static_cast<int64_t>(sounds[0][0].size()), maker.settings(0).frames * 160);
    if (most < 5000) EXPECT_LT(maker.settings(0).frames, 700);
    else EXPECT_EQ(maker.settings(0).frames, 700);
  }
}

TEST(PieceMakerTest, NoNumbersAreAnErrorWithItsPlace) {
  const FakeNets nets(FakeShape());
  nets.record.fail_at_step = 20;
  PieceMaker maker(nets, {Settings(nets.shape(), 100)});
  absl::Status status;
  while (status.ok() && !maker.done()) status = maker.Step({});
  EXPECT_EQ(ErrorCode(status), "non_finite_result");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("column 21"));
}

// A click every 25 frames: the fades lie with their middle on one of them, and the length stays.
TEST(PieceMakerTest, FadesLieOnBeats) {
  const FakeNets nets(FakeShape());
  nets.record.beat_frames = 25;
  PieceSettings settings = Settings(nets.shape(), 1800);
  settings.window = 900;
  settings.stride = 600;
  settings.fade_frames = 20;
  PieceMaker maker(nets, {settings});
  const auto sounds = MakeAll(maker);
  EXPECT_EQ(sounds[0][0].size(), 1800u * 160);
  const auto& windows = maker.state(0).windows;
  ASSERT_EQ(windows.size(), 3u);
  for (size_t w = 0; w + 1 < windows.size(); ++w) {
    const int64_t middle = windows[w].cut + 10 - windows[w].start;
    EXPECT_LE(windows[w].cut + 20, windows[w].end());
    // Where the nearest click is, and no more than a frame away.
    int64_t nearest = 1000;
    for (int64_t f = 0; f < windows[w].frames; ++f) {
      if (windows[w].codes[static_cast<size_t>(f)] == 1) nearest = std::min(nearest, std::abs(f - middle));
    }
    EXPECT_LE(nearest, 1) << w;
    EXPECT_EQ(windows[w + 1].start + windows[w + 1].prompt, windows[w].cut);
  }
  for (const float sample : sounds[0][0]) ASSERT_TRUE(std::isfinite(sample) && std::abs(sample) < 1);
}

TEST(SeamMeterTest, HearsASeam) {
  std::vector<float> smooth(64'000), broken;
  uint32_t state = 1;
  for (float& sample : smooth) {
    state = state * 1664525 + 1013904223;
    sample = 0.3f * (static_cast<float>(state >> 8) / 16777216.0f - 0.5f);
  }
  broken = smooth;
  for (size_t i = 32'000; i < broken.size(); ++i) broken[i] *= 0.02f;
  const auto ratio = [](const std::vector<float>& sound, bool seam) {
    SeamMeter meter;
    for (size_t at = 0; at < sound.size(); at += 1000) meter.Push(std::span(sound).subspan(at, 1000));
    if (seam) meter.AddSeam(32'000);
    return meter.ratio();
  };
  EXPECT_EQ(ratio(broken, false), 1);
  EXPECT_NEAR(ratio(smooth, true), 1, 0.2);
  EXPECT_GT(ratio(broken, true), 2);
}

}  // namespace
}  // namespace grym
