#include "models/clap/session.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "audio/mono_at.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"
#include "models/clap/model.h"
#include "models/clap/style_prompts.h"
#include "runtime/host_scope.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

// Rows of `x` [rows, dim] as unit vectors.
absl::StatusOr<std::vector<std::vector<float>>> UnitVectors(const at::Tensor& x) {
  const at::Tensor rows = x.to(at::kCPU, at::kFloat).contiguous();
  std::vector<std::vector<float>> units;
  for (int64_t row = 0; row < rows.size(0); ++row) {
    const float* values = rows.const_data_ptr<float>() + row * rows.size(1);
    std::vector<float> unit(values, values + rows.size(1));
    double square = 0;
    for (const float value : unit) square += static_cast<double>(value) * value;
    if (!(square > 0) || !std::isfinite(square)) {
      return Error(absl::StatusCode::kInternal, "non_finite_result",
                   Formatted("clap: want a finite embedding other than zero, got one of length %g", std::sqrt(square)));
    }
    for (float& value : unit) value = static_cast<float>(value / std::sqrt(square));
    units.push_back(std::move(unit));
  }
  return units;
}

at::Tensor TensorOfFeatures(const ClapFeatures& features, c10::Device device) {
  at::Tensor tensor = at::empty({1, features.channels, features.frames, features.bands}, at::kFloat);
  std::copy(features.values.begin(), features.values.end(), tensor.mutable_data_ptr<float>());
  return tensor.to(device);
}

// Similarities with prompts [begin, begin + count) as probabilities.
std::vector<double> SoftmaxOf(const std::vector<float>& audio, std::span<const std::vector<float>> prompts,
                              double scale) {
  std::vector<double> scores;
  for (const std::vector<float>& prompt : prompts) {
    double dot = 0;
    for (size_t i = 0; i < audio.size(); ++i) dot += static_cast<double>(audio[i]) * prompt[i];
    scores.push_back(scale * dot);
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - most);
  for (double& score : scores) score /= sum;
  return scores;
}

bool IsSilent(const AudioBuffer& audio) {
  const auto samples = audio.planar();
  return std::all_of(samples.begin(), samples.end(), [](float sample) { return std::abs(sample) < 1e-5f; });
}

}  // namespace

ClapHearing::ClapHearing(std::shared_ptr<const ClapModel> model)
    : model_(std::move(model)), extractor_(model_->features()) {}

int ClapHearing::dims() const { return static_cast<int>(model_->config().audio.projection_dim); }

absl::StatusOr<std::vector<float>> ClapHearing::Audio(const AudioBuffer& audio, const RunOptions& given) {
  const RunOptions run = ForHost(given);
  ProgressReporter progress(run);
  GRYM_RETURN_IF_ERROR(progress.Check());
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer mono, MonoAt(audio, model_->info().rate_hz, "clap", run));
  GRYM_ASSIGN_OR_RETURN(const auto tower, model_->AudioTower(mono.duration_s(), run));
  const BudgetScope scope(tower.lease);
  return TorchGuard("clap/audio", [&]() -> absl::StatusOr<std::vector<float>> {
    const std::span<const float> samples = mono.channel(0);
    std::vector<int64_t> starts = extractor_.WindowStarts(mono.frames());
    auto window = static_cast<size_t>(extractor_.config().max_samples());
    if (model_->config().audio.enable_fusion) {
      starts = {0};
      window = samples.size();
    }
    std::vector<float> sum(static_cast<size_t>(dims()));
    for (size_t i = 0; i < starts.size(); ++i) {
      GRYM_RETURN_IF_ERROR(progress.Check());
      const auto start = static_cast<size_t>(starts[i]);
      GRYM_ASSIGN_OR_RETURN(const ClapFeatures features,
                            extractor_.Extract(samples.subspan(start, std::min(window, samples.size() - start))));
      GRYM_ASSIGN_OR_RETURN(const at::Tensor made, tower.net->Embed(TensorOfFeatures(features, model_->context().device),
                                                              features.longer, run.cancel));
      GRYM_ASSIGN_OR_RETURN(const auto units, UnitVectors(made));
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += units[0][k];
      progress.Report(static_cast<double>(i + 1) / static_cast<double>(starts.size()), "embed");
    }
    if (starts.size() == 1) return sum;
    GRYM_ASSIGN_OR_RETURN(const auto units, UnitVectors(at::from_blob(sum.data(), {1, dims()}, at::kFloat)));
    return units[0];
  });
}

absl::StatusOr<std::vector<std::vector<float>>> ClapHearing::Texts(const std::vector<std::string>& texts,
                                                                   const RunOptions& given,
                                                                   std::vector<std::string>* warnings) {
  const RunOptions run = ForHost(given);
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  std::vector<std::vector<int32_t>> ids;
  int64_t tokens = 0;
  for (const std::string& text : texts) {
    GRYM_ASSIGN_OR_RETURN(ClapTokens of_text, model_->Tokens(text));
    tokens += static_cast<int64_t>(of_text.ids.size());
    if (warnings && of_text.dropped > 0) warnings->push_back(CutWarning("text", of_text));
    ids.push_back(std::move(of_text.ids));
  }
  GRYM_ASSIGN_OR_RETURN(const auto tower, model_->TextTower(tokens, run));
  const BudgetScope scope(tower.lease);
  return TorchGuard("clap/text", [&]() -> absl::StatusOr<std::vector<std::vector<float>>> {
    GRYM_ASSIGN_OR_RETURN(const at::Tensor made, tower.net->Embed(ids, run.cancel));
    return UnitVectors(made);
  });
}

absl::StatusOr<std::vector<float>> ClapEmbedder::Embed(const AudioBuffer& audio, const RunOptions& run) {
  warnings_.clear();
  return hearing_.Audio(audio, run);
}

absl::StatusOr<std::vector<float>> ClapEmbedder::EmbedText(std::string_view text_utf8, const RunOptions& run) {
  warnings_.clear();
  GRYM_ASSIGN_OR_RETURN(auto made, hearing_.Texts({std::string(text_utf8)}, run, &warnings_));
  return std::move(made.front());
}

absl::Status ClapAnalyzer::EmbedPrompts(const RunOptions& run) {
  if (!prompts_.empty()) return absl::OkStatus();
  std::vector<std::string> texts;
  for (const auto& group : {GenrePrompts(), MoodPrompts(), TexturePrompts()}) {
    for (const StylePrompt& prompt : group) texts.emplace_back(prompt.prompt);
  }
  GRYM_ASSIGN_OR_RETURN(prompts_, hearing_.Texts(texts, run));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ClapAnalyzer::Hear(Capability capability, std::span<const AudioInput> inputs,
                                               const RunOptions& run) {
  if (capability != Capability::kClassifyStyle) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_capability",
                 Formatted("clap: cannot do %s", CapabilityName(capability)));
  }
  if (inputs.size() != 1) {
    return Error(absl::StatusCode::kInvalidArgument, "wrong_inputs",
                 Formatted("clap/%s: want 1 input, got %d", CapabilityName(capability), inputs.size()));
  }
  AudioBuffer loaded;
  const AudioBuffer* audio = inputs[0].audio();
  if (!audio) {
    GRYM_ASSIGN_OR_RETURN(loaded, LoadAudio(*inputs[0].path(), {}, run));
    audio = &loaded;
  }
  // The prompts first: where the budget holds one tower alone, the other is read once.
  GRYM_RETURN_IF_ERROR(EmbedPrompts(run));
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> heard, hearing_.Audio(*audio, run));
  const size_t genres = GenrePrompts().size(), moods = MoodPrompts().size(), textures = TexturePrompts().size();
  if (IsSilent(*audio)) {
    return StyleScoresToJson({std::vector<double>(genres), std::vector<double>(moods), std::vector<double>(textures)});
  }
  const std::span<const std::vector<float>> prompts = prompts_;
  const double scale = hearing_.model().logit_scale();
  return StyleScoresToJson({SoftmaxOf(heard, prompts.subspan(0, genres), scale),
                            SoftmaxOf(heard, prompts.subspan(genres, moods), scale),
                            SoftmaxOf(heard, prompts.subspan(genres + moods, textures), scale)});
}

}  // namespace grym
