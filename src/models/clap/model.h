// A CLAP checkpoint behind the Model interface: embeds audio and text in one space, and names styles by it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/model.h"
#include "grymsynth/tokenizer.h"
#include "models/clap/audio_net.h"
#include "models/clap/mel_features.h"
#include "models/clap/text_net.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

// What one recording or a list of texts is beside the towers' sizes, for a plan.
struct ClapWork {
  double audio_s = 0;   // 0: none is heard
  int64_t tokens = 0;   // of all texts together; 0: none is read
};

// Threads: immutable; sessions of any thread share the towers, each of which is read when it is first wanted.
class ClapModel : public Model, public std::enable_shared_from_this<ClapModel> {
 public:
  // Where that is allowed, the precision is lowered until the least that each tower may be asked for fits. Reads the
  // configs, the tokenizer and the weights' header. Errors as of these. A folder without a
  // preprocessor_config.json takes transformers' defaults.
  static absl::StatusOr<std::shared_ptr<const ClapModel>> Open(const ModelFolder& folder, const ModelContext& context);
  ~ClapModel() override;

  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  ResourceNeed NeedToHear(Capability capability, double audio_s) const override;
  // For embedding a recording as long as the request.
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override;
  absl::StatusOr<std::unique_ptr<Analyzer>> NewAnalyzer() const override;

  const ClapFeatureConfig& features() const { return features_; }
  const ClapConfig& config() const { return config_; }
  const ModelContext& context() const { return context_; }
  // What the audio tower's similarities are multiplied by: exp(logit_scale_a).
  double logit_scale() const { return logit_scale_; }

  absl::StatusOr<ClapTokens> Tokens(std::string_view text_utf8) const {
    return TokensOfText(*tokenizer_, config_.text, text_utf8);
  }

  // Both towers are kept where the budget holds them; else the one that is not wanted goes, and the text tower's layers
  // are streamed where it does not fit alone.
  MemoryPlan PlanFor(const ClapWork& work) const { return PlanWithin(context_.budget->limit_bytes(), work, true); }
  // A tower, and the lease that it is used under; the lease outlives it. ResourceExhausted (code "over_budget") before
  // anything is allocated.
  template <class Net>
  struct Tower {
    MemoryLease lease;
    std::shared_ptr<const Net> net;
  };
  absl::StatusOr<Tower<ClapAudioNet>> AudioTower(double audio_s, const RunOptions& run) const;
  absl::StatusOr<Tower<ClapTextNet>> TextTower(int64_t tokens, const RunOptions& run) const;

 private:
  ClapModel() = default;
  absl::Status ReadLogitScale(const TensorSet& set);
  Precision PrecisionOf(const char* tower) const;
  void LowerPrecision();
  void MakeTowers(const std::shared_ptr<const TensorSet>& set);
  // `streamed`, if set, where the plan says so.
  template <class Net>
  absl::StatusOr<Tower<Net>> TowerFor(const ClapWork& work, const Component<Net>& component,
                                      const Component<Net>* streamed, const RunOptions& run) const;
  MemoryPlan PlanWithin(int64_t budget_bytes, const ClapWork& work, bool may_stream) const;
  PhasePlan AudioPhase(double audio_s) const;
  PhasePlan TextPhase(int64_t tokens, bool streamed = false) const;

  ModelInfo info_;
  ModelContext context_;
  ClapConfig config_;
  ClapFeatureConfig features_;
  double logit_scale_ = 1;
  std::optional<Precision> lowered_;  // below what was asked for, to fit
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<const Component<ClapAudioNet>> audio_;
  std::unique_ptr<const Component<ClapTextNet>> text_, streamed_text_;
};

absl::StatusOr<std::shared_ptr<const Model>> OpenClap(const ModelFolder& folder, const ModelContext& context);

}  // namespace grym
