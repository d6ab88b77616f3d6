// CLAP at work: embeddings of recordings and texts, and the styles that they are nearest to.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "models/clap/mel_features.h"

namespace grym {

class ClapModel;

// What both sessions do. Belongs to one thread.
class ClapHearing {
 public:
  explicit ClapHearing(std::shared_ptr<const ClapModel> model);
  int dims() const;
  // Any rate and channels: mixed to one, resampled, samples that are no numbers taken for 0. What is longer than a window
  // is heard in windows that cover it evenly, and the mean of their unit embeddings is made a unit again; a fused
  // checkpoint hears it whole, as it was trained to. InvalidArgument (code "no_frames") for an empty buffer;
  // ResourceExhausted ("over_budget"); Internal ("non_finite_result"); Cancelled within a window.
  absl::StatusOr<std::vector<float>> Audio(const AudioBuffer& audio, const RunOptions& run);
  // A unit vector for each text. Empty texts have an embedding. Longer ones than the tower takes are cut, which
  // `warnings`, if set, is told.
  absl::StatusOr<std::vector<std::vector<float>>> Texts(const std::vector<std::string>& texts,
                                                        const RunOptions& run,
                                                        std::vector<std::string>* warnings = nullptr);
  const ClapModel& model() const { return *model_; }

 private:
  const std::shared_ptr<const ClapModel> model_;
  ClapFeatureExtractor extractor_;
};

class ClapEmbedder : public Embedder {
 public:
  explicit ClapEmbedder(std::shared_ptr<const ClapModel> model) : hearing_(std::move(model)) {}
  int dims() const override { return hearing_.dims(); }
  absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions& run) override;
  absl::StatusOr<std::vector<float>> EmbedText(std::string_view text_utf8, const RunOptions& run) override;

 private:
  ClapHearing hearing_;
};

// kClassifyStyle alone: zero-shot over the prompts of style_prompts.h. A path is read whole.
class ClapAnalyzer : public Analyzer {
 public:
  explicit ClapAnalyzer(std::shared_ptr<const ClapModel> model) : hearing_(std::move(model)) {}
  absl::StatusOr<std::string> Hear(Capability capability, std::span<const AudioInput> inputs,
                                   const RunOptions& run) override;

 private:
  absl::Status EmbedPrompts(const RunOptions& run);
  ClapHearing hearing_;
  std::vector<std::vector<float>> prompts_;  // of genres, moods and textures, once they are embedded
};

}  // namespace grym
