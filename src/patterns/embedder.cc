#include "patterns/embedder.h"

#include <algorithm>
#include <cmath>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/status.h"
#include "patterns/bar_grid.h"
#include "patterns/embedding.h"

namespace grym {
namespace {

constexpr char kRulesEmbedderId[] = "rules-embedder";

// Structural and timbral embeddings are 98 and 49 numbers; rhythm adds autocorrelation at 30 lags of a quarter beat.
// Layout: [0, 98: as StructuralEmbedding over the whole, 0.8] [98, 30: lags 1/4 .. 7.5 beats, mean removed, 0.2].
PatternEmbedding RecordingEmbedding(const AudioFeatures& features) {
  const TimeSpan whole{0, features.duration_s};
  const PatternEmbedding sound = StructuralEmbedding(features, std::span<const TimeSpan>(&whole, 1));
  std::vector<double> rhythm(30, 0);
  std::vector<double> onsets;
  for (size_t beat = 0; beat + 1 < features.beats_s.size(); ++beat) {
    const double step_s = (features.beats_s[beat + 1] - features.beats_s[beat]) / 4;
    for (int part = 0; part < 4; ++part) {
      const double at_s = features.beats_s[beat] + part * step_s;
      onsets.push_back(LargestIn(features.onset_strength, at_s - step_s / 2, at_s + step_s / 2));
    }
  }
  double mean = 0;
  for (const double onset : onsets) mean += onset / static_cast<double>(onsets.size());
  for (size_t lag = 1; lag <= rhythm.size() && lag < onsets.size(); ++lag) {
    for (size_t i = lag; i < onsets.size(); ++i) rhythm[lag - 1] += (onsets[i] - mean) * (onsets[i - lag] - mean);
    rhythm[lag - 1] /= static_cast<double>(onsets.size() - lag);
  }
  std::vector<double> first(sound.begin(), sound.begin() + 98);
  EmbeddingWriter writer;
  writer.Add(first, 0.8);
  writer.Add(rhythm, 0.2);
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
    info_.version = "1";
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
