#include <array>

#include "base/status.h"
#include "grymsynth/model.h"

namespace grym {

std::string_view CapabilityName(Capability capability) {
  constexpr std::array<std::string_view, 7> kNames = {"generate",       "enhance",         "embed_audio", "analyze",
                                                      "classify_style", "detect_patterns", "compare"};
  const size_t index = static_cast<size_t>(capability);
  return index < kNames.size() ? kNames[index] : "unknown";
}

absl::StatusOr<std::vector<float>> Embedder::EmbedText(std::string_view, const RunOptions&) {
  return Error(absl::StatusCode::kUnimplemented, "no_text", "this embedder hears, and reads no text");
}

absl::StatusOr<std::vector<FloatArray>> Embedder::HiddenStates(const AudioBuffer&, const RunOptions&) {
  return Error(absl::StatusCode::kUnimplemented, "no_hidden_states", "this embedder has no layers to show");
}

absl::StatusOr<std::string> Model::Plan(const GenerateAudioRequest&) const {
  return Error(absl::StatusCode::kUnimplemented, "no_plan", "model \"" + Printable(info().id) + "\" needs no plan");
}

ResourceNeed Model::NeedToHear(Capability, double audio_s) const {
  GenerateAudioRequest request;
  request.duration_s = audio_s;
  return Need(request);
}

absl::StatusOr<std::unique_ptr<Generator>> Model::NewGenerator() const {
  return Error(absl::StatusCode::kUnimplemented, "not_a_generator",
               "model \"" + Printable(info().id) + "\" does not generate audio");
}

absl::StatusOr<std::unique_ptr<Embedder>> Model::NewEmbedder() const {
  return Error(absl::StatusCode::kUnimplemented, "not_an_embedder",
               "model \"" + Printable(info().id) + "\" does not embed audio");
}

absl::StatusOr<std::unique_ptr<Analyzer>> Model::NewAnalyzer() const {
  return Error(absl::StatusCode::kUnimplemented, "not_an_analyzer",
               "model \"" + Printable(info().id) + "\" does not analyse audio");
}

}  // namespace grym
