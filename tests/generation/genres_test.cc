// What the pieces of all genres have in common, and what tells them apart. GRYM_FULL=1 runs the full counts (20 seeds
// fitted, 20 others tested, every genre); without it a few seeds of eight genres.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/hash.h"
#include "generation/composer.h"
#include "generation/genre.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

bool FullRun() {
  const char* full = std::getenv("GRYM_FULL");
  return full && std::string_view(full) == "1";
}

struct Heard {
  std::string genre;
  std::vector<double> values;
  AudioFeatures features;
  double tempo_bpm = 0;
  std::string key;
};

Heard Listen(const Genre& genre, int64_t seed, double duration_s) {
  GenerateAudioRequest request;
  request.seed = seed;
  request.duration_s = duration_s;
  request.parameters["genre"] = genre.name;
  auto made = (*MakeComposer()->NewGenerator())->Generate(request, {});
  EXPECT_TRUE(made.ok()) << made.status();
  auto source = OpenInput(made->audio);
  auto features = AnalyzeSource(**source, {});
  EXPECT_TRUE(features.ok()) << features.status();
  Heard heard{genre.name, {}, *features, std::atof(made->facts["tempo_bpm"].c_str()), made->facts["key"]};
  const SpectralFeatures& spectral = features->spectral;
  std::vector<double>& v = heard.values;
  v.insert(v.end(), spectral.mean_mfcc.begin() + 1, spectral.mean_mfcc.end());
  v.insert(v.end(), spectral.std_mfcc.begin(), spectral.std_mfcc.end());
  v.insert(v.end(), spectral.mean_contrast_db.begin(), spectral.mean_contrast_db.end());
  for (const double db : spectral.band_energy_db) v.push_back(std::max(db, -60.0));
  v.push_back(std::log(spectral.mean_centroid_hz + 1));
  v.push_back(std::log(spectral.mean_rolloff_hz + 1));
  v.push_back(std::log(spectral.mean_flatness + 1e-6));
  v.push_back(static_cast<double>(features->onsets_s.size()) / features->duration_s);
  v.push_back(features->level.crest_db);
  v.push_back(std::log(std::max(30.0, features->tempo_bpm)));
  v.push_back(features->condition.stereo_width);
  heard.features.spectral = SpectralFeatures();
  heard.features.pitch = Pitch();
  return heard;
}

// Nearest class mean, every value divided by its spread within the classes.
class NearestMean {
 public:
  explicit NearestMean(const std::vector<Heard>& known) {
    std::map<std::string, int> counts;
    for (const Heard& heard : known) {
      auto& mean = means_[heard.genre];
      mean.resize(heard.values.size());
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += heard.values[i];
      ++counts[heard.genre];
    }
    for (auto& [genre, mean] : means_) {
      for (double& value : mean) value /= counts[genre];
    }
    spread_.assign(known[0].values.size(), 1e-3);
    for (const Heard& heard : known) {
      for (size_t i = 0; i < spread_.size(); ++i) {
        const double off = heard.values[i] - means_[heard.genre][i];
        spread_[i] += off * off / static_cast<double>(known.size());
      }
    }
  }
  std::string Classify(const Heard& heard) const {
    std::string best;
    double least = 1e300;
    for (const auto& [genre, mean] : means_) {
      double distance = 0;
      for (size_t i = 0; i < mean.size(); ++i)
        distance += (heard.values[i] - mean[i]) * (heard.values[i] - mean[i]) / spread_[i];
      if (distance < least) {
        least = distance;
        best = genre;
      }
    }
    return best;
  }

 private:
  std::map<std::string, std::vector<double>> means_;
  std::vector<double> spread_;
};

TEST(GenresTest, AreToldApartAndKeepTempoKeyAndLoudness) {
  const bool full = FullRun();
  const int fitted = full ? 20 : 2, tested = full ? 20 : 2;
  const double duration_s = full ? 20 : 12;
  static const std::set<std::string> few = {"house", "hip hop", "pop",     "metal",
                                            "jazz",  "waltz",   "ambient", "synthwave"};
  std::vector<Heard> known, others;
  for (const Genre* genre : AllGenres()) {
    if (!full && !few.contains(genre->name)) continue;
    for (int seed = 0; seed < fitted; ++seed) known.push_back(Listen(*genre, 1000 + seed, duration_s));
    for (int seed = 0; seed < tested; ++seed) others.push_back(Listen(*genre, 1 + seed, duration_s));
  }
  const NearestMean classifier(known);
  int right = 0, tempo = 0, key = 0;
  for (const Heard& heard : others) {
    const std::string guess = classifier.Classify(heard);
    const bool tempo_right = std::abs(heard.features.tempo_bpm - heard.tempo_bpm) <= 0.005 * heard.tempo_bpm;
    const bool key_right = heard.features.key.value_or("none") == heard.key;
    right += guess == heard.genre;
    tempo += tempo_right;
    key += key_right;
    EXPECT_LE(heard.features.loudness.true_peak_dbtp, -0.99) << heard.genre;
    EXPECT_NEAR(heard.features.loudness.integrated_lufs, -16, 2) << heard.genre;
    EXPECT_LT(std::abs(heard.features.condition.dc_offset), 1e-3) << heard.genre;
    EXPECT_EQ(heard.features.condition.clipped_ratio, 0) << heard.genre;
    if (guess != heard.genre || !tempo_right || !key_right) {
      std::printf("%s: heard as %s, tempo %.2f as %.2f, key %s as %s\n", heard.genre.c_str(), guess.c_str(),
                  heard.tempo_bpm, heard.features.tempo_bpm, heard.key.c_str(),
                  heard.features.key.value_or("none").c_str());
    }
  }
  const double count = static_cast<double>(others.size());
  std::printf("genres told apart %d/%zu, tempo %d/%zu, key %d/%zu\n", right, others.size(), tempo, others.size(), key,
              others.size());
  EXPECT_GE(right, 0.9 * count);
  EXPECT_GE(tempo, (full ? 0.95 : 0.9) * count);
  EXPECT_GE(key, (full ? 0.95 : 0.9) * count);
}

TEST(GenresTest, NoBarRepeatsBitForBit) {
  for (const Genre* genre : AllGenres()) {
    if (!FullRun() && genre->name != std::string_view("techno") && genre->name != std::string_view("reggae")) continue;
    GenerateAudioRequest request;
    request.seed = 11;
    request.duration_s = 40;
    request.want_stems = true;
    request.parameters["genre"] = genre->name;
    auto made = (*MakeComposer()->NewGenerator())->Generate(request, {});
    ASSERT_TRUE(made.ok()) << made.status();
    const double bar_s = 60 / std::atof(made->facts["tempo_bpm"].c_str()) * std::atoi(made->facts["meter"].c_str());
    const int bars = std::atoi(made->facts["bars"].c_str());
    const auto left = made->mix.channel(0);
    std::set<std::string> seen;
    for (int bar = 0; bar < bars; ++bar) {
      const size_t from = static_cast<size_t>(std::llround(bar * bar_s * 44100)),
                   frames = static_cast<size_t>(bar_s * 44100) - 2;
      Sha256 digest;
      digest.Update(left.data() + from, frames * sizeof(float));
      EXPECT_TRUE(seen.insert(digest.Hex()).second) << genre->name << " bar " << bar;
    }
    EXPECT_GE(bars, 8);
  }
}

}  // namespace
}  // namespace grym
