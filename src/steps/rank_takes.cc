#include "steps/rank_takes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

bool CanRank(const ModelInfo& info) {
  const auto can = [&](Capability capability) {
    return std::find(info.capabilities.begin(), info.capabilities.end(), capability) != info.capabilities.end();
  };
  return can(Capability::kEmbedText) && can(Capability::kEmbedAudio);
}

absl::StatusOr<std::vector<float>> EmbeddingOf(ModelOrchestrator& orchestrator, AudioTask task, const RunOptions& run,
                                               std::vector<std::string>& warnings) {
  GRYM_ASSIGN_OR_RETURN(const ModelChain chain, orchestrator.RouteTask(task));
  GRYM_ASSIGN_OR_RETURN(ProcessingResult made, orchestrator.ExecuteChain(chain, run));
  warnings.insert(warnings.end(), made.warnings.begin(), made.warnings.end());
  return std::move(made.embedding);
}

// In [-1, 1]; 0 where one of them is all zeros.
double CosineOf(const std::vector<float>& a, const std::vector<float>& b) {
  const double dot = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  const double squares = std::inner_product(a.begin(), a.end(), a.begin(), 0.0) *
                         std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
  return squares > 0 ? std::clamp(dot / std::sqrt(squares), -1.0, 1.0) : 0;
}

absl::StatusOr<std::vector<double>> ScoresOf(ModelOrchestrator& orchestrator, const std::string& ranker,
                                             const std::string& prompt, const std::vector<GenerateAudioResult>& takes,
                                             const RunOptions& run, std::vector<std::string>& warnings) {
  const double parts = static_cast<double>(takes.size()) + 1;
  AudioTask task;
  task.model = ranker;
  task.capability = Capability::kEmbedText;
  task.request.prompt = prompt;
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> wanted,
                        EmbeddingOf(orchestrator, task, PartOf(run, 0, 1 / parts), warnings));
  task.capability = Capability::kEmbedAudio;
  std::vector<double> scores;
  for (const GenerateAudioResult& take : takes) {
    task.audio = take.audio;
    const double from = static_cast<double>(scores.size() + 1) / parts;
    GRYM_ASSIGN_OR_RETURN(const std::vector<float> heard,
                          EmbeddingOf(orchestrator, task, PartOf(run, from, from + 1 / parts), warnings));
    if (heard.size() != wanted.size()) {
      return Error(absl::StatusCode::kInternal, "bad_hand_over",
                   Formatted("model \"%s\": want text and sound in one space, got %d and %d dimensions", ranker,
                             wanted.size(), heard.size()));
    }
    scores.push_back(CosineOf(wanted, heard));
  }
  return scores;
}

}  // namespace

absl::StatusOr<std::string> FindRanker(const ModelOrchestrator& orchestrator, const std::string& asked) {
  if (asked.empty()) {
    for (const ModelInfo& info : orchestrator.Models()) {
      if (CanRank(info)) return info.id;
    }
    return std::string();
  }
  GRYM_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, orchestrator.Find(asked));
  if (CanRank(model->info())) return asked;
  return Error(absl::StatusCode::kNotFound, "no_model",
               "rank_by: want a model that can embed_audio and embed_text, \"" + asked + "\" cannot");
}

absl::StatusOr<GenerateAudioResult> RankTakes(ModelOrchestrator& orchestrator, const std::string& ranker,
                                              const std::string& prompt, std::vector<GenerateAudioResult> takes,
                                              const RunOptions& run) {
  std::vector<double> scores(takes.size());
  std::vector<std::string> warnings;
  if (ranker.empty()) {
    warnings.push_back("takes: no open model embeds sound and text: they stand in the order in which they were made");
  } else {
    GRYM_ASSIGN_OR_RETURN(scores, ScoresOf(orchestrator, ranker, prompt, takes, run, warnings));
  }
  std::vector<size_t> order(takes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  GenerateAudioResult best = std::move(takes[order[0]]);
  std::string score_words = Formatted("%.4f", scores[order[0]]), seeds = std::to_string(best.provenance.seed);
  for (size_t i = 1; i < order.size(); ++i) {
    GenerateAudioResult& take = takes[order[i]];
    score_words += Formatted(" %.4f", scores[order[i]]);
    seeds += " " + std::to_string(take.provenance.seed);
    best.other_takes.push_back({take.provenance.seed, scores[order[i]], std::move(take.audio)});
  }
  best.facts["take_seeds"] = seeds;
  if (!ranker.empty()) {
    best.facts["take_scores"] = score_words;
    best.facts["ranked_by"] = ranker;
  }
  best.warnings.insert(best.warnings.end(), warnings.begin(), warnings.end());
  return best;
}

}  // namespace grym
