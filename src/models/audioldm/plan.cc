// What a request takes, and which levers make it fit.
#include <algorithm>
#include <limits>
#include <optional>

#include "base/format.h"
#include "models/audioldm/model.h"
#include "models/hifigan/working_set.h"
#include "models/vae/working_set.h"
#include "runtime/device_graph.h"
#include "runtime/packed.h"

namespace grym {
namespace {

// Latents, the noise, both rows of the network's input and what a step of the schedule leaves: so many times the
// latents.
constexpr int64_t kLatentCopies = 9;
// Beside these, of a captured step (models/unet/step.h): what it reads, its answer, and a copy of that.
constexpr int64_t kCapturedCopies = 6;

// Puts `phase` as `streamed` writes it in place of one that takes more than `above`, where that is less.
template <class Streamed>
void StreamAbove(int64_t above, bool can_stream, PhasePlan& phase, Streamed streamed) {
  const auto bytes = [](const PhasePlan& of) { return of.weights_bytes + of.working_bytes; };
  if (!can_stream || bytes(phase) <= above) return;
  PhasePlan instead = phase;
  streamed(instead);
  instead.streamed = true;
  if (bytes(instead) < bytes(phase)) phase = std::move(instead);
}

}  // namespace

Precision AudioLdmModel::PrecisionOf(const std::string& component) const {
  const Precision asked = context_.PrecisionOf(component);
  const Precision precision = lowered_ ? std::max(asked, *lowered_) : asked;
  const bool convolves = component == "vae" || component == "vocoder";
  return convolves ? BesideMatrices(precision, context_.device) : precision;
}

std::string AudioLdmModel::NoteOf(const std::string& component) const {
  const Precision given = context_.PrecisionOf(component), asked = lowered_ ? std::max(given, *lowered_) : given;
  if (!IsPacked(asked)) return "";
  const std::string beside = PrecisionName(BesideMatrices(asked, context_.device));
  if (component == "text_encoder") return "table of words in " + beside;
  return component == "unet" ? "convolutions in " + beside : std::string(PrecisionName(asked)) + " is for matrices";
}

void AudioLdmModel::LowerPrecision() {
  if (!context_.options.may_lower_precision) return;
  const AudioLdmWork least{.duration_s = 0.05, .steps = 1, .tokens = 2};
  const auto fits = [&](bool may_stream) {
    return FirstThatFits(least, context_.budget->limit_bytes(), may_stream).memory.fits();
  };
  LowerUntilItFits(lowered_, fits);
}

AudioLdmPlan AudioLdmModel::PlanWith(const AudioLdmWork& work, const Cut& cut) const {
  const c10::Device device = context_.device;
  const std::vector<int64_t> shape = parts_.geometry.Shape(1, std::max(work.duration_s, 0.1));
  const int64_t frames = shape[2], bins = shape[3], rows = work.guidance > 1 ? 2 : 1;
  const int64_t latents = AllocatedBytes(shape[1] * frames * bins * 4);
  const int64_t mel_frames = frames * parts_.geometry.scale;
  const int64_t mel = AllocatedBytes(mel_frames * parts_.geometry.bins * 4);
  const int64_t seen = work.window > 0 ? std::min(work.window, frames) : frames;
  AudioLdmPlan plan;
  plan.tile_frames = cut.tile_frames;
  plan.chunk_frames = cut.chunk_frames;
  plan.memory.device = device.str();
  plan.memory.enforced_by = context_.budget->enforced_by();
  plan.memory.keep_weights = cut.keep_weights;
  plan.memory.ignored_fields = parts_.ignored_fields;
  std::vector<PhasePlan>& phases = plan.memory.phases;

  const Precision text = PrecisionOf("text_encoder"), unet = PrecisionOf("unet"), vae = PrecisionOf("vae"),
                  vocoder = PrecisionOf("vocoder");
  const int64_t embeddings = AllocatedBytes(rows * parts_.text.projection_dim * 4);  // of all texts, one by one
  phases.push_back({"text_encoder", text, ClapTextNet::WeightBytes(parts_.text, text, device),
                    ClapTextNet::WorkingBytes(parts_.text, text, device, work.tokens) + embeddings, "whole"});
  StreamAbove(cut.stream_above, ClapTextNet::CanStream(text), phases.back(), [&](PhasePlan& phase) {
    phase.weights_bytes = ClapTextNet::StreamedWeightBytes(parts_.text, text, device) +
                          ClapTextNet::StreamedLayerBytes(parts_.text, text, device);
  });
  if (work.from_sound) {
    phases.push_back({"vae_encoder", vae, VaeEncoderWeightBytes(parts_.vae, vae),
                      2 * mel + VaeEncodeBytes(parts_.vae, vae, device, 1, mel_frames, parts_.geometry.bins) + latents,
                      "whole"});
  }
  const WeightOptions options{unet, device, {}};
  const int64_t around = Unet::ConditionsBytes(parts_.unet, options, work.steps, rows) +
                         (kLatentCopies + (DeviceGraph::Captures(device) ? kCapturedCopies : 0)) * latents;
  phases.push_back({"unet", unet, Unet::WeightsBytes(*parts_.unet_set, parts_.unet, options),
                    Unet::WorkingBytes(parts_.unet, options, rows, seen, bins) + around,
                    work.window > 0 && frames > work.window ? Formatted("windows of %d positions", work.window)
                                                            : "whole"});
  StreamAbove(cut.stream_above, Unet::CanStream(unet), phases.back(), [&](PhasePlan& phase) {
    const TensorSet& set = *parts_.unet_set;
    phase.weights_bytes = Unet::StreamedWeightsBytes(set, parts_.unet, options);
    phase.working_bytes = Unet::StreamedWorkingBytes(set, parts_.unet, options, rows, seen, bins) + around;
  });
  phases.push_back({"vae", vae, VaeDecoderWeightBytes(parts_.vae, vae),
                    2 * latents + VaeDecodeBytes(parts_.vae, vae, device, 1, frames, bins, cut.tile_frames),
                    cut.tile_frames > 0 ? Formatted("tiles of %d frames", cut.tile_frames) : "whole"});
  phases.push_back({"vocoder", vocoder, HifiGanWeightBytes(parts_.vocoder, vocoder),
                    2 * mel + HifiGanBytes(parts_.vocoder, vocoder, device, 1, mel_frames, cut.chunk_frames),
                    cut.chunk_frames > 0 ? Formatted("chunks of %d frames", cut.chunk_frames) : "whole"});
  for (PhasePlan& phase : phases) phase.note = NoteOf(phase.component == "vae_encoder" ? "vae" : phase.component);
  if (!cut.keep_weights) plan.memory.levers.push_back("dropped components after their phase");
  if (lowered_) plan.memory.levers.push_back(std::string("lowered precision to ") + PrecisionName(*lowered_));
  if (cut.tile_frames > 0) plan.memory.levers.push_back("tiled the autoencoder and cut the vocoder's work into chunks");
  const auto is_streamed = [](const PhasePlan& phase) { return phase.streamed; };
  if (std::any_of(phases.begin(), phases.end(), is_streamed)) plan.memory.levers.push_back("streamed weights by layer");
  return plan;
}

AudioLdmPlan AudioLdmModel::FirstThatFits(const AudioLdmWork& work, int64_t budget_bytes, bool may_stream) const {
  // From the fastest to the smallest. Tiles help no network that is streamed, so these begin anew.
  std::vector<Cut> cuts = {{true, 0, 0}};
  for (const bool stream : {false, true}) {
    if (stream && !may_stream) break;
    for (const int64_t frames : {0, 256, 128, 64, 32})
      cuts.push_back({false, frames, frames, stream ? budget_bytes : std::numeric_limits<int64_t>::max()});
  }
  std::optional<AudioLdmPlan> least;
  for (const Cut& cut : cuts) {
    AudioLdmPlan plan = PlanWith(work, cut);
    plan.memory.budget_bytes = budget_bytes;
    if (plan.memory.fits()) return plan;
    if (!least || plan.memory.peak_bytes() < least->memory.peak_bytes()) least = std::move(plan);
  }
  return *std::move(least);
}

absl::StatusOr<AudioLdmPlan> AudioLdmModel::PlanFor(const AudioLdmWork& work, int64_t budget_bytes) const {
  AudioLdmPlan plan = FirstThatFits(work, budget_bytes, /*may_stream=*/true);
  if (!plan.memory.fits()) return OverBudget("audioldm", plan.memory);
  return plan;
}

}  // namespace grym
