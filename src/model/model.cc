#include <array>

#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/model.h"
#include "model/stream_of_whole.h"

namespace grym {

std::string_view CapabilityName(Capability capability) {
  constexpr std::array<std::string_view, 10> kNames = {"generate",       "enhance",         "embed_audio",
                                                      "analyze",        "classify_style",  "detect_patterns",
                                                      "compare",        "stream",          "code",
                                                      "embed_text"};
  const size_t index = static_cast<size_t>(capability);
  return index < kNames.size() ? kNames[index] : "unknown";
}

absl::StatusOr<std::vector<GenerateAudioResult>> Generator::GenerateBatch(
    std::span<const GenerateAudioRequest> requests, const RunOptions& run) {
  std::vector<GenerateAudioResult> results;
  for (size_t i = 0; i < requests.size(); ++i) {
    const double all = static_cast<double>(requests.size());
    const RunOptions part = PartOf(run, static_cast<double>(i) / all, static_cast<double>(i + 1) / all);
    GRYM_ASSIGN_OR_RETURN(GenerateAudioResult result, Generate(requests[i], part));
    results.push_back(std::move(result));
  }
  return results;
}

absl::StatusOr<std::unique_ptr<GenerationStream>> Generator::Stream(const GenerateAudioRequest& request) {
  return std::make_unique<StreamOfWhole>([this, request](const RunOptions& run) { return Generate(request, run); });
}

absl::StatusOr<std::unique_ptr<GenerationStream>> Generator::Resume(const std::filesystem::path&) {
  return Error(absl::StatusCode::kUnimplemented, "no_saved_state", "this model cannot go on from a saved state");
}

absl::StatusOr<std::vector<float>> Embedder::EmbedText(std::string_view, const RunOptions&) {
  return Error(absl::StatusCode::kUnimplemented, "no_text", "this embedder hears, and reads no text");
}

absl::StatusOr<std::vector<FloatArray>> Embedder::HiddenStates(const AudioBuffer&, const RunOptions&) {
  return Error(absl::StatusCode::kUnimplemented, "no_hidden_states", "this embedder has no layers to show");
}

absl::StatusOr<std::string> Embedder::Transcribe(const AudioBuffer&, const RunOptions&) {
  return Error(absl::StatusCode::kUnimplemented, "no_transcription", "this embedder hears, and writes no text");
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

absl::StatusOr<std::unique_ptr<AudioCodec>> Model::NewCodec() const {
  return Error(absl::StatusCode::kUnimplemented, "not_a_codec",
               "model \"" + Printable(info().id) + "\" has no codes for audio");
}

absl::Status Model::SaveCopy(const std::filesystem::path&, const RunOptions&) const {
  return Error(absl::StatusCode::kUnimplemented, "no_copy",
               "model \"" + Printable(info().id) + "\" has no copy whose weights lie as they are kept");
}

}  // namespace grym
