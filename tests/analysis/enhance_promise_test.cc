// What Enhance promises, through the whole chain: gains on known damage, clean input left alone, the peak kept.
#include <gtest/gtest.h>

#include "analysis/enhance/enhance.h"
#include "analysis/enhance/noise.h"
#include "analysis/true_peak.h"
#include "support/damage.h"

namespace grym {
namespace {

using testing::Recording;
using testing::SiSdrDb;
using testing::WithClipping;
using testing::WithGain;
using testing::WithHum;
using testing::WithNoise;

constexpr int kRateHz = 44100;
constexpr const char* kPromised[] = {
    "real/loop_breakbeat.flac", "real/loop_mika.flac", "real/loop_perc1.flac",
    "real/admiralbob77_-_Choice_-_Drum-bass.ogg", "real/147793__setuniman__sweet-waltz-0i-22mi.ogg",
    "real/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg",
    "real/359628__mtg__sax-tenor-d-minor.flac", "real/sir_duke_fast.ogg", "real/sir_duke_slow.ogg",
    "real/hiphop.mp3", "real/drumtrack.mp3", "real/acoustic-drums.flac",
    "rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac"};

// Repairs alone: taste (balance, dynamics, stereo) is no damage undone.
EnhancedAudio Repaired(const AudioBuffer& audio, double true_peak_dbtp = -1) {
  EnhanceParams params;
  params.level = 1;
  params.balance = params.dynamics = params.stereo = false;
  params.true_peak_dbtp = true_peak_dbtp;
  return EnhanceAudio(audio, params).value();
}

// Ratio of the signal to all that differs from it, its level included.
double SnrDb(const AudioBuffer& clean, const AudioBuffer& heard) {
  double error = 1e-20;
  for (size_t i = 0; i < clean.planar().size(); ++i)
    error += std::pow(static_cast<double>(heard.planar()[i]) - clean.planar()[i], 2);
  return 10 * std::log10(testing::MeanPower(clean) * static_cast<double>(clean.planar().size()) / error);
}

// Quiet enough that the limiter has nothing to do.
AudioBuffer WithRoom(const AudioBuffer& audio) { return WithGain(audio, -12); }

// 3 dB an octave down: white noise through the poles and zeros of Kellet's filter.
AudioBuffer WithPinkNoise(AudioBuffer audio, double snr_db) {
  Random random(21);
  std::vector<double> noise(audio.planar().size());
  const double poles[] = {0.99886, 0.99332, 0.96900, 0.86650, 0.55000, -0.7616};
  const double gains[] = {0.0555179, 0.0750759, 0.1538520, 0.3104856, 0.5329522, -0.0168980};
  double states[6] = {}, last = 0, power = 0;
  for (double& value : noise) {
    const double white = random.Normal();
    value = last + 0.5362 * white;
    for (int i = 0; i < 6; ++i) value += states[i] = poles[i] * states[i] + gains[i] * white;
    last = 0.115926 * white;
    power += value * value;
  }
  const double gain = std::sqrt(testing::MeanPower(audio) * static_cast<double>(noise.size()) / power /
                                std::pow(10, snr_db / 10));
  for (size_t i = 0; i < noise.size(); ++i) audio.mutable_planar()[i] += static_cast<float>(gain * noise[i]);
  return audio;
}

AudioBuffer Made(double seconds, const std::function<double(double, Random&)>& at) {
  auto audio = AudioBuffer::Create(1, static_cast<int64_t>(seconds * kRateHz), kRateHz).value();
  Random random(5);
  for (int64_t n = 0; n < audio.frames(); ++n)
    audio.mutable_channel(0)[static_cast<size_t>(n)] = static_cast<float>(at(static_cast<double>(n) / kRateHz, random));
  return audio;
}

TEST(EnhancePromiseTest, TenDecibelsOfNoiseLoseSixAndMore) {
  GRYM_NEED_SHARED_AUDIO();
  double total = 0;
  for (const char* name : kPromised) {
    const AudioBuffer clean = WithRoom(Recording(name)), noisy = WithNoise(clean, 10);
    const EnhancedAudio enhanced = Repaired(noisy);
    const double gained = SiSdrDb(clean, enhanced.audio) - SiSdrDb(clean, noisy);
    EXPECT_GE(gained, 6) << name;
    total += gained;
  }
  EXPECT_GT(total / std::size(kPromised), 9);
}

// With the clean spectrum known, the best gain takes 5 dB off the noise in these: little to win, and less to lose.
TEST(EnhancePromiseTest, DenseLoopsAreNotMadeWorse) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"real/loop_amen.flac", "real/loop_industrial.flac", "real/loop_mehackit2.flac"}) {
    for (const double snr_db : {5.0, 10.0, 20.0}) {
      const AudioBuffer clean = WithRoom(Recording(name)), noisy = WithNoise(clean, snr_db);
      EXPECT_GT(SiSdrDb(clean, Repaired(noisy).audio), SiSdrDb(clean, noisy) - 0.75) << name << " " << snr_db;
    }
  }
}

TEST(EnhancePromiseTest, WeakAndPinkNoiseFallToo) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"real/hiphop.mp3", "real/acoustic-drums.flac", "real/sir_duke_fast.ogg",
                           "real/147793__setuniman__sweet-waltz-0i-22mi.ogg"}) {
    const AudioBuffer clean = WithRoom(Recording(name));
    for (const AudioBuffer& noisy : {WithNoise(clean, 20), WithPinkNoise(clean, 5), WithPinkNoise(clean, 10)}) {
      const EnhancedAudio enhanced = Repaired(noisy);
      EXPECT_GT(SiSdrDb(clean, enhanced.audio), SiSdrDb(clean, noisy) + 3) << name;
      EXPECT_GT(SnrDb(clean, enhanced.audio), SnrDb(clean, noisy) + 3) << name;
    }
  }
}

TEST(EnhancePromiseTest, HumFallsAndItsNeighboursStay) {
  GRYM_NEED_SHARED_AUDIO();
  const auto level_db = [](const AudioBuffer& audio, double hz) {
    double re = 0, im = 0;
    const auto length = static_cast<double>(audio.frames());
    for (int64_t n = 0; n < audio.frames(); ++n) {
      const double value = audio.channel(0)[static_cast<size_t>(n)] *
                           (1 - std::cos(2 * std::numbers::pi * static_cast<double>(n) / length));
      const double phase = 2 * std::numbers::pi * hz * static_cast<double>(n) / audio.rate_hz();
      re += value * std::cos(phase), im += value * std::sin(phase);
    }
    return 20 * std::log10(2 * std::hypot(re, im) / length + 1e-12);
  };
  for (const double mains_hz : {50.0, 60.0}) {
    AudioBuffer clean = WithRoom(Recording("real/147793__setuniman__sweet-waltz-0i-22mi.ogg", 12));
    std::vector<double> neighbours_hz;
    for (int k = 1; k <= 4; ++k) {
      for (const double away_hz : {-3.0, 3.0}) neighbours_hz.push_back(k * mains_hz + away_hz);
    }
    for (int64_t n = 0; n < clean.frames(); ++n) {
      for (const double hz : neighbours_hz)
        clean.mutable_channel(0)[static_cast<size_t>(n)] += static_cast<float>(
            0.01 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(n) / clean.rate_hz() + hz));
    }
    const AudioBuffer humming = WithHum(clean, mains_hz, 10);
    const EnhancedAudio enhanced = Repaired(humming);
    EXPECT_LT(enhanced.stages[1].change_db, -8) << mains_hz;
    EXPECT_GT(SiSdrDb(clean, enhanced.audio), SiSdrDb(clean, humming) + 8) << mains_hz;
    EXPECT_GT(SnrDb(clean, enhanced.audio), SnrDb(clean, humming) + 8) << mains_hz;
    const double gain_db = enhanced.stages[6].applied ? enhanced.stages[6].change_db : 0;
    for (const double hz : neighbours_hz)
      EXPECT_NEAR(level_db(enhanced.audio, hz) - gain_db, level_db(humming, hz), 0.5) << hz;
  }
}

TEST(EnhancePromiseTest, ClippingIsUndoneInPart) {
  GRYM_NEED_SHARED_AUDIO();
  double total = 0;
  for (const char* name : kPromised) {
    for (const double db : {3.0, 6.0}) {
      const AudioBuffer clean = WithRoom(Recording(name, 6)), clipped = WithClipping(clean, db, false);
      const double gained = SiSdrDb(clean, Repaired(clipped).audio) - SiSdrDb(clean, clipped);
      EXPECT_GT(gained, -0.1) << name << " " << db;
      total += gained;
    }
  }
  EXPECT_GT(total / (2 * std::size(kPromised)), 3);
}

TEST(EnhancePromiseTest, CleanRecordingsChangeByLessThanMinusSixtyDecibels) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kPromised) {
    for (const double seconds : {0.9, 2.0, 7.0}) {
      const AudioBuffer clean = WithRoom(Recording(name, seconds));
      EXPECT_GT(SnrDb(clean, Repaired(clean).audio), 60) << name << " " << seconds;
    }
  }
}

// Music that is as full as noise: what a detector that looks at level and flatness alone takes for a floor.
TEST(EnhancePromiseTest, FullMusicIsNotTakenForNoise) {
  const auto tone = [](double hz, double t) { return std::sin(2 * std::numbers::pi * hz * t); };
  const auto falling = [](double t, double every_s, double rate) { return std::exp(-rate * std::fmod(t, every_s)); };
  const std::pair<const char*, std::function<double(double, Random&)>> pieces[] = {
      {"power chord", [&](double t, Random&) {
         const double root = t < 2 ? 82.4 : 98.0;
         return 0.2 * std::tanh(1.5 * (tone(root, t) + tone(1.498 * root, t) + tone(2.003 * root, t)));
       }},
      {"cymbal", [&](double t, Random& random) { return 0.2 * falling(t, 4, 1.2) * random.Normal(); }},
      {"hi-hats", [&](double t, Random& random) { return 0.1 * falling(t, 0.125, 40) * random.Normal(); }},
      {"snare roll", [&](double t, Random& random) {
         return 0.1 * falling(t, 0.08, 30) * (0.4 + 0.15 * t) * random.Normal();
       }},
      {"breath", [&](double t, Random& random) {
         return std::pow(std::sin(std::numbers::pi * t), 2) * (0.15 * tone(440, t) + 0.03 * random.Normal());
       }},
      {"pad", [&](double t, Random&) {
         double sum = 0;
         for (int i = 0; i < 40; ++i) sum += tone(110 * (1 + i / 4) * (1 + 0.004 * (i % 4)), t);
         return 0.01 * sum;
       }}};
  for (const auto& [name, at] : pieces) {
    for (const double seconds : {1.0, 2.0, 4.0}) {
      const AudioBuffer music = Made(seconds, at);
      const EnhancedAudio enhanced = Repaired(music);
      EXPECT_FALSE(FindNoise(music).value().found) << name << " " << seconds;
      // Saturation cuts its tops flat, and declip cannot know that it was meant.
      if (std::string_view(name) == "power chord") continue;
      EXPECT_GT(SnrDb(music, enhanced.audio), 60)
          << name << " " << seconds << ": " << enhanced.stages[0].text << "; " << enhanced.stages[1].text << "; "
          << enhanced.stages[7].text;
    }
  }
}

TEST(EnhancePromiseTest, NoiseUnderMadeMusicIsFoundInASecond) {
  const AudioBuffer music = Made(1, [](double t, Random&) {
    double sum = 0;
    for (const double ratio : {1.0, 2.0, 2.52, 3.0, 4.0}) sum += std::sin(2 * std::numbers::pi * 220 * ratio * t);
    return 0.05 * std::exp(-2 * std::fmod(t, 0.5)) * sum;
  });
  for (const AudioBuffer& noisy : {WithNoise(music, 10), WithPinkNoise(music, 10)}) {
    EXPECT_TRUE(FindNoise(noisy).value().found);
    EXPECT_GT(SiSdrDb(music, Repaired(noisy).audio), SiSdrDb(music, noisy) + 6);
  }
}

TEST(EnhancePromiseTest, TruePeakStaysUnderTheTargetWhateverWasRepaired) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"real/hiphop.mp3", "real/drumtrack.mp3", "real/loop_amen.flac"}) {
    const AudioBuffer clean = Recording(name, 5);
    for (const AudioBuffer& audio : {clean, WithNoise(clean, 10), WithHum(clean, 50, 10), WithClipping(clean, 9)}) {
      for (const double target_dbtp : {-0.1, -1.0, -6.0}) {
        const double peak = MeasureTruePeak(Repaired(audio, target_dbtp).audio).value();
        EXPECT_LE(20 * std::log10(peak), target_dbtp) << name;
      }
    }
  }
}

}  // namespace
}  // namespace grym
