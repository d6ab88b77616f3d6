#include "generation/oversample.h"

#include <algorithm>
#include <cmath>

#include "analysis/enhance/balance.h"
#include "dsp/fft.h"
#include "dsp/window.h"
#include "generation/composer.h"
#include "generation/part_levels.h"
#include "generation/synth/patches.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/midi.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

Score OnePatch(const PatchInfo& patch, double duration_s) {
  Score score;
  score.duration_s = duration_s;
  InstrumentPart part;
  part.stem = "x";
  part.patch = patch.name;
  const int middle = (patch.low + patch.high) / 2;
  for (int beat = 0; beat < 12; ++beat) {
    ScoreNote note;
    note.start_s = 0.17 * beat;
    note.duration_s = patch.sustained ? 0.17 : 0.12;
    note.pitch = patch.family == "drums" ? (beat % 2 ? 38 : 36) : middle - 5 + beat * 5 % 12;
    part.notes.push_back(note);
    if (patch.family != "drums") continue;
    note.pitch = 42;
    part.notes.push_back(note);
  }
  score.parts = {part};
  return score;
}

// Drums, strings, noise and filters sound alike at both rates: what is heard of each octave, and how loud the whole is.
// Strings are plucked by drawn noise, so two renders differ as two strokes do; a dozen of them even that out to 3 dB.
TEST(OversampleTest, EveryPatchKeepsItsColour) {
  for (const PatchInfo& patch : Patches()) {
    if (patch.family == "fx") continue;  // drawn grain by grain, so two renders differ as two takes do
    const Score score = OnePatch(patch, 2.2);
    const AudioBuffer once = RenderScore(score, {}, false)->mix, twice = RenderOversampled(score, {}, false)->mix;
    ASSERT_EQ(once.frames(), twice.frames());
    EXPECT_NEAR(MeanSquareDb(twice), MeanSquareDb(once), 1.0) << patch.name;
    const LongTermSpectrum a = *MeasureLongTermSpectrum(once), b = *MeasureLongTermSpectrum(twice);
    for (size_t band = 1; band < 9; ++band) {
      if (a.octave_db[band] < -25) continue;
      EXPECT_NEAR(b.octave_db[band], a.octave_db[band], 3.0) << patch.name << " octave " << band;
    }
  }
}

// Level of what is left of a sine of full scale, away from the ends, in dB.
double HalvedSineDb(double hz) {
  AudioBuffer sine = *AudioBuffer::Create(1, 32768, 88200);
  for (int n = 0; n < 32768; ++n)
    sine.mutable_channel(0)[static_cast<size_t>(n)] = static_cast<float>(std::sin(6.283185307179586 * hz * n / 88200));
  const AudioBuffer halved = *HalveRate(sine, 16384);
  double sum = 1e-30;
  for (int n = 1000; n < 15000; ++n) sum += std::pow(double{halved.channel(0)[static_cast<size_t>(n)]}, 2);
  return 10 * std::log10(sum / 14000 * 2);
}

TEST(OversampleTest, HalvingKeepsWhatIsHeardAndFoldsNothing) {
  for (const double hz : {50.0, 1000.0, 15000.0, 20000.0, 20900.0}) EXPECT_NEAR(HalvedSineDb(hz), 0, 0.02) << hz;
  for (const double hz : {22100.0, 23000.0, 30000.0, 43000.0}) EXPECT_LT(HalvedSineDb(hz), -120) << hz;
}

TEST(OversampleTest, HalvingMovesNothingAndTakesAnyLength) {
  for (const int64_t frames : {int64_t{1}, int64_t{2}, int64_t{777}, int64_t{20001}}) {
    AudioBuffer click = *AudioBuffer::Create(2, frames, 88200);
    click.mutable_channel(1)[static_cast<size_t>(frames / 4 * 2)] = 1;
    const AudioBuffer halved = *HalveRate(click, (frames + 1) / 2);
    ASSERT_EQ(halved.frames(), (frames + 1) / 2);
    ASSERT_EQ(halved.rate_hz(), 44100);
    const auto right = halved.channel(1);
    EXPECT_EQ(std::max_element(right.begin(), right.end()) - right.begin(), frames / 4);
    EXPECT_EQ(*std::max_element(halved.channel(0).begin(), halved.channel(0).end()), 0);
  }
}

std::vector<double> MeanPower(const AudioBuffer& audio) {
  const int size = 8192;
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kBlackmanHarris, size);
  std::vector<float> framed(size), power(static_cast<size_t>(fft.bins()));
  std::vector<double> mean(power.size(), 0.0);
  for (int64_t start = 0; start + size <= audio.frames(); start += size / 2) {
    for (int n = 0; n < size; ++n)
      framed[static_cast<size_t>(n)] =
          audio.channel(0)[static_cast<size_t>(start + n)] * window[static_cast<size_t>(n)];
    fft.Power(framed.data(), power.data());
    for (size_t k = 0; k < power.size(); ++k) mean[k] += power[k];
  }
  return mean;
}

// Power, relative to the whole, where a render at four times the rate has next to none within a few bins: folded
// partials.
double FoldedDb(const AudioBuffer& audio, const std::vector<double>& clean) {
  const std::vector<double> power = MeanPower(audio);
  double folded = 1e-20, whole = 1e-20;
  for (size_t k = 4; k + 4 < std::min(power.size(), size_t{8192 * 20000 / 44100}); ++k) {
    double around = 0;
    for (size_t j = k - 4; j <= k + 4; ++j) around = std::max(around, clean[j]);
    whole += power[k];
    if (power[k] > 10 * around) folded += power[k];
  }
  return 10 * std::log10(folded / whole);
}

TEST(OversampleTest, FoldsLessBackIntoTheMusic) {
  Score score = OnePatch(*FindPatch("bell_fm"), 2.2);
  for (ScoreNote& note : score.parts[0].notes) note.pitch += 22, note.velocity = 1, note.detail = 1;
  Score finer = score;
  finer.rate_hz = 88200;
  const std::vector<double> clean = MeanPower(*Resample(RenderOversampled(finer, {}, false)->mix, 44100));
  const double once = FoldedDb(RenderScore(score, {}, false)->mix, clean),
               twice = FoldedDb(RenderOversampled(score, {}, false)->mix, clean);
  std::printf("folded partials of a bright bell: standard %.1f dB, best %.1f dB\n", once, twice);
  EXPECT_LT(twice, once - 6);
}

TEST(OversampleTest, TheBestTierPlaysTheSameNotesAndItsStemsAddUp) {
  GenerateAudioRequest request;
  request.prompt = "lo-fi";
  request.seed = 4;
  request.duration_s = 3;
  request.want_stems = true;
  const auto make = [&] { return *(*MakeComposer()->NewGenerator())->Generate(request, {}); };
  const GenerateAudioResult standard = make();
  request.quality = QualityTier::kBest;
  const GenerateAudioResult best = make();
  EXPECT_EQ(*SerializeMidi(*best.midi), *SerializeMidi(*standard.midi));
  ASSERT_EQ(best.audio.frames(), standard.audio.frames());
  EXPECT_FALSE(std::equal(best.audio.planar().begin(), best.audio.planar().end(), standard.audio.planar().begin()));
  double worst = 0;
  for (size_t i = 0; i < best.mix.planar().size(); ++i) {
    double sum = 0;
    for (const Stem& stem : best.stems) sum += stem.audio.planar()[i];
    worst = std::max(worst, std::abs(sum - best.mix.planar()[i]));
  }
  EXPECT_LE(worst, 1e-4);
}

TEST(OversampleTest, StopsWhenCancelled) {
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(RenderOversampled(OnePatch(Patches()[0], 1), run).status()));
}

}  // namespace
}  // namespace grym
