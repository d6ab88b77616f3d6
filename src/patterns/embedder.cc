#include "patterns/embedder.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/status.h"
#include "patterns/bar_grid.h"
#include "patterns/embedding.h"

namespace grym {
namespace {

constexpr char kRulesEmbedderId[] = "rules-embedder";

constexpr int kScales = 34;       // numbers of the rhythm block
constexpr int kLogLags = 160;     // points of the autocorrelation, evenly over the logarithm of the lag
constexpr double kShortestLag_s = 0.08, kLongestLag_s = 6;
constexpr double kOnsetRate_hz = 50;

// Rhythm free of tempo, and of any beat that is or is not found: autocorrelation of the onset strength over the
// logarithm of the lag, where another tempo is a shift, then the magnitude of its Fourier transform, which no shift
// changes. Source: Holzapfel and Stylianou 2011, "Scale transform in rhythmic similarity of music". Differs: the
// logarithmic axis is tapered at both ends, where a shift would bring in what was beyond.
std::vector<double> RhythmScales(const FrameSeries& strength) {
  std::vector<double> magnitudes(kScales, 0);
  if (!(strength.rate_hz > 0)) return magnitudes;
  const double seconds = static_cast<double>(strength.frames()) / strength.rate_hz;
  std::vector<double> onsets;
  double mean = 0;
  for (double at_s = 0; at_s + 1 / kOnsetRate_hz <= seconds; at_s += 1 / kOnsetRate_hz) {
    // The root keeps a few loud strokes from saying everything.
    onsets.push_back(std::sqrt(LargestIn(strength, at_s, at_s + 1 / kOnsetRate_hz)));
    mean += onsets.back();
  }
  const auto longest = std::min(static_cast<size_t>(kLongestLag_s * kOnsetRate_hz) + 2, onsets.size() * 2 / 3);
  if (longest < 16) return magnitudes;
  mean /= static_cast<double>(onsets.size());
  std::vector<double> correlation(longest, 0);
  for (size_t lag = 0; lag < longest; ++lag) {
    for (size_t i = lag; i < onsets.size(); ++i) correlation[lag] += (onsets[i] - mean) * (onsets[i - lag] - mean);
    correlation[lag] /= static_cast<double>(onsets.size() - lag);
  }
  std::vector<double> curve(kLogLags, 0);
  for (int i = 0; i < kLogLags; ++i) {
    const double place = (i + 0.5) / kLogLags;
    const double lag = kOnsetRate_hz * kShortestLag_s * std::pow(kLongestLag_s / kShortestLag_s, place);
    const auto low = static_cast<size_t>(lag);
    if (low + 1 >= longest) break;
    const double share = lag - static_cast<double>(low), taper = std::sin(std::numbers::pi * place);
    curve[static_cast<size_t>(i)] = taper * (correlation[low] * (1 - share) + correlation[low + 1] * share);
  }
  for (int k = 0; k < kScales; ++k) {
    double real = 0, imaginary = 0;
    for (int i = 0; i < kLogLags; ++i) {
      const double angle = 2 * std::numbers::pi * (k + 1) * i / kLogLags;
      real += curve[static_cast<size_t>(i)] * std::cos(angle);
      imaginary += curve[static_cast<size_t>(i)] * std::sin(angle);
    }
    magnitudes[static_cast<size_t>(k)] = std::hypot(real, imaginary);
  }
  return magnitudes;
}

void TakeOffMean(std::vector<double>& values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  for (double& value : values) value -= mean;
}

// What a recording is apart from its key, tempo and level. Layout: [0, 56: 2-D Fourier magnitude of chroma x 16 steps
// as in StructuralEmbedding, mean removed, 0.45] [56, 38: texture as there, 0.3] [94, 34: RhythmScales, mean removed,
// 0.25]. Magnitudes are positive, so without their mean any two recordings would be alike.
PatternEmbedding RecordingEmbedding(const AudioFeatures& features) {
  const TimeSpan whole{0, features.duration_s};
  const PatternEmbedding sound = StructuralEmbedding(features, std::span<const TimeSpan>(&whole, 1));
  std::vector<double> harmony(sound.begin(), sound.begin() + 56);
  const std::vector<double> texture(sound.begin() + 56, sound.begin() + 94);
  std::vector<double> rhythm = RhythmScales(features.onset_strength);
  TakeOffMean(harmony);
  TakeOffMean(rhythm);
  EmbeddingWriter writer;
  writer.Add(harmony, 0.45);
  writer.Add(texture, 0.3);
  writer.Add(rhythm, 0.25);
  return writer.Finish();
}

class RulesEmbedder : public Embedder {
 public:
  int dims() const override { return kPatternDims; }
  absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions& run) override {
    if (audio.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                   std::string(kRulesEmbedderId) + ": want at least one frame, got an empty buffer");
    }
    const bool silent =
        std::all_of(audio.planar().begin(), audio.planar().end(), [](float sample) { return sample == 0; });
    PatternEmbedding embedding{};
    if (silent) {
      embedding[0] = 1;
    } else {
      GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(audio));
      GRYM_ASSIGN_OR_RETURN(const AudioFeatures features, AnalyzeSource(*source, run));
      embedding = RecordingEmbedding(features);
    }
    return std::vector<float>(embedding.begin(), embedding.end());
  }
};

class RulesEmbedderModel : public Model {
 public:
  RulesEmbedderModel() {
    info_.id = kRulesEmbedderId;
    info_.version = "2";
    info_.name = "Embedding by rules";
    info_.description = "128 numbers from texture, harmony and rhythm as measured; no learnt weights";
    info_.licence = "as grymsynth";
    info_.capabilities = {Capability::kEmbedAudio};
    info_.seconds_per_audio_second = 0.02;
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest& request) const override {
    // The series of one analysis: about 20 KB a second.
    return {0, (int64_t{16} << 20) + static_cast<int64_t>(20000 * std::max(request.duration_s, 0.0)), 1,
            info_.seconds_per_audio_second * request.duration_s};
  }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return std::make_unique<RulesEmbedder>(); }

 private:
  ModelInfo info_;
};

}  // namespace

std::shared_ptr<const Model> MakeRulesEmbedder() { return std::make_shared<RulesEmbedderModel>(); }

}  // namespace grym
