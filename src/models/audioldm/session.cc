#include "models/audioldm/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

#include "audio/mono_at.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/number_text.h"
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"
#include "model/provenance.h"
#include "models/audioldm/denoise.h"
#include "models/vae/log_mel.h"
#include "runtime/host_scope.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double ParameterOf(const GenerateAudioRequest& request, const char* name, double fallback) {
  const auto found = request.parameters.find(name);
  return found == request.parameters.end() ? fallback : ParseNumber(found->second).value_or(fallback);
}

// Columns [frames] of the latents: 1 where the span lies.
at::Tensor MaskOf(const LatentGeometry& geometry, int64_t frames, double start_s, double end_s) {
  at::Tensor mask = at::zeros({1, 1, frames, 1}, at::kFloat);
  const double position_s = geometry.column_s() * static_cast<double>(geometry.scale);
  const auto first = std::clamp<int64_t>(static_cast<int64_t>(std::floor(start_s / position_s)), 0, frames - 1);
  const auto last = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(end_s / position_s)), first + 1, frames);
  mask.narrow(2, first, last - first).fill_(1);
  return mask;
}

// What the latents depend on: the request as text, and the recording, which its text does not hold.
std::string KeyOfRun(const GenerateAudioRequest& request, const std::vector<float>& sound) {
  Sha256 digest;
  digest.Update(RequestToJson(request));
  digest.Update(sound.data(), sound.size() * sizeof(float));
  return digest.Hex();
}

}  // namespace

struct AudioLdmGenerator::Run {
  const GenerateAudioRequest& request;
  const RunOptions& options;
  MemoryLease lease;  // the last to go: what the run holds is counted on it
  AudioLdmWork work;
  AudioLdmPlan plan;
  std::vector<float> sound;  // the recording, mono at the model's rate; empty without one
  double sound_s = 0;
  std::string key;           // of KeptRun
  PlainDenoiseState done;    // how far the denoising came
  GenerateAudioResult result;
  // A component's net: where the plan keeps weights the one that all share, else one of this run alone, which goes with
  // its phase whoever else is at work: `streamed`, if set, where the plan streams phase `name`.
  template <class Net>
  absl::StatusOr<std::shared_ptr<const Net>> Fetch(const Component<Net>& component, std::string_view name = "",
                                                   const Component<Net>* streamed = nullptr) {
    for (const PhasePlan& phase : plan.memory.phases) {
      if (streamed && phase.component == name && phase.streamed) return streamed->LoadOwn(options.cancel);
    }
    if (!plan.memory.keep_weights) return component.LoadOwn(options.cancel);
    GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const Net> net, component.Get(options.cancel));
    lease.Hold(net);
    return net;
  }
  void EndPhase(const char* name, Clock::time_point start) { result.timings_s[name] = SecondsSince(start); }
};

absl::Status AudioLdmGenerator::Prepare(Run& run) const {
  const GenerateAudioRequest& request = run.request;
  if (request.reference_buffer || !request.reference_audio.empty()) {
    absl::StatusOr<AudioBuffer> loaded = AudioBuffer();
    if (!request.reference_buffer) loaded = LoadAudio(request.reference_audio, {}, RunOptions{run.options.cancel, {}});
    if (!loaded.ok()) return loaded.status();
    const AudioBuffer& sound = request.reference_buffer ? *request.reference_buffer : *loaded;
    run.sound_s = sound.duration_s();
    GRYM_ASSIGN_OR_RETURN(run.work, model_->WorkOf(request, run.sound_s));  // one that is too long is not resampled
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer mono,
                          MonoAt(sound, model_->info().rate_hz, "audioldm", {run.options.cancel, {}}));
    run.sound.assign(mono.channel(0).begin(), mono.channel(0).end());
  } else {
    GRYM_ASSIGN_OR_RETURN(run.work, model_->WorkOf(request, 0));
  }
  run.key = KeyOfRun(request, run.sound);
  GRYM_ASSIGN_OR_RETURN(run.lease, model_->Lease(run.work, run.options, run.plan));
  return absl::OkStatus();
}

// [rows, dim], the negative prompt's first where there is guidance, each of length 1.
absl::StatusOr<at::Tensor> AudioLdmGenerator::EmbedTexts(Run& run) const {
  const Clock::time_point start = Clock::now();
  const RunOptions part = PartOf(run.options, 0, 0.05);
  ProgressReporter(part).Report(0, "text");
  std::vector<std::pair<const char*, std::string>> texts = {{"prompt", run.request.prompt}};
  if (run.work.guidance > 1) texts.insert(texts.begin(), {"negative_prompt", run.request.negative_prompt});
  const int64_t dim = model_->parts().text.projection_dim;
  at::Tensor embeddings = at::empty({static_cast<int64_t>(texts.size()), dim}, at::kFloat);
  float* row = embeddings.mutable_data_ptr<float>();
  std::shared_ptr<const ClapTextNet> net;  // fetched for the first text that nobody kept
  for (const auto& [name, text] : texts) {
    absl::StatusOr<ClapTokens> tokens = model_->Tokens(text);
    if (!tokens.ok()) return Annotate(tokens.status(), name);
    if (tokens->dropped > 0) run.result.warnings.push_back(CutWarning(name, *tokens));
    GRYM_ASSIGN_OR_RETURN(const std::vector<float> embedding, Embedded(run, tokens->ids, net));
    row = std::copy(embedding.begin(), embedding.end(), row);
  }
  run.EndPhase("text_encoder", start);
  return NormalizedRows(embeddings).to(model_->context().device);
}

// Each text alone, never beside another: so that its numbers are the same to the bit whatever else is asked for, and
// whether they were kept or not. The weights are read once more for it, the first time.
absl::StatusOr<std::vector<float>> AudioLdmGenerator::Embedded(Run& run, const std::vector<int32_t>& ids,
                                                               std::shared_ptr<const ClapTextNet>& net) const {
  TextEmbeddingCache& cache = model_->text_cache();
  if (std::optional<std::vector<float>> kept = cache.Find(ids)) return *std::move(kept);
  if (!net) {
    GRYM_ASSIGN_OR_RETURN(net, run.Fetch(model_->text(), "text_encoder", &model_->streamed_text()));
  }
  GRYM_ASSIGN_OR_RETURN(const at::Tensor made, net->Embed({ids}, run.options.cancel));
  const at::Tensor plain = made.to(at::kCPU, at::kFloat).contiguous();
  std::vector<float> embedding(plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel());
  cache.Keep(ids, embedding);
  return embedding;
}

// The recording as latents [1, channels, frames, bins], scaled as the diffusion wants them.
absl::StatusOr<at::Tensor> AudioLdmGenerator::EncodeSound(Run& run) const {
  const Clock::time_point start = Clock::now();
  const LatentGeometry& geometry = model_->parts().geometry;
  const int64_t frames = geometry.LatentFrames(run.work.duration_s) * geometry.scale;
  LogMelOptions options;
  options.rate_hz = static_cast<int>(geometry.rate_hz);
  options.hop = static_cast<int>(geometry.hop_frames);
  options.bands = static_cast<int>(geometry.bins);
  GRYM_ASSIGN_OR_RETURN(at::Tensor mel, LogMel(CentredAtHalfScale(run.sound), options));
  const int64_t had = mel.size(2);
  if (had < frames) {  // silence behind its end
    const at::Tensor silence = at::full({1, 1, frames - had, geometry.bins}, std::log(options.floor), mel.options());
    mel = at::cat({mel, silence}, 2);
  } else if (had > frames) {
    mel = mel.narrow(2, 0, frames).contiguous();
  }
  at::Tensor latents;
  {
    GRYM_ASSIGN_OR_RETURN(const auto net, run.Fetch(model_->encoder()));
    GRYM_ASSIGN_OR_RETURN(const LatentDistribution found, net->Encode(mel, RunOptions{run.options.cancel, {}}));
    latents = at::mul(found.mean, model_->parts().vae.scaling_factor);
  }
  run.EndPhase("vae_encoder", start);
  return latents;
}

absl::StatusOr<at::Tensor> AudioLdmGenerator::MakeLatents(Run& run, const at::Tensor& embeddings,
                                                          const at::Tensor& original) const {
  const Clock::time_point start = Clock::now();
  const AudioLdmParts& parts = model_->parts();
  DenoiseRequest wanted;
  wanted.steps = run.work.steps;
  wanted.guidance = run.work.guidance;
  wanted.seed = run.request.seed;
  wanted.shape = parts.geometry.Shape(1, run.work.duration_s);
  wanted.embeddings = embeddings;
  wanted.window = run.work.window;
  if (original.defined()) {
    wanted.original = original;
    wanted.strength = run.request.reference_strength;
    const double end_s = ParameterOf(run.request, "mask_end_s", 0);
    const double start_s = ParameterOf(run.request, "mask_start_s", 0);
    if (end_s > 0 || start_s > 0) {
      if (start_s >= end_s || start_s >= run.work.duration_s) {
        return Error(absl::StatusCode::kInvalidArgument, "bad_request",
                     Formatted("audioldm/mask_start_s: want less than mask_end_s %g and the recording's %g, got %g",
                               end_s, run.work.duration_s, start_s));
      }
      wanted.mask = MaskOf(parts.geometry, wanted.shape[2], start_s, end_s).to(original.device());
    }
  }
  if (!original.defined() && (ParameterOf(run.request, "mask_end_s", 0) > 0 ||
                              ParameterOf(run.request, "mask_start_s", 0) > 0)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_request",
                 "audioldm/mask_end_s: want a recording beside the span, got none");
  }
  GRYM_RETURN_IF_ERROR(CheckDenoiseRequest(parts.unet, wanted));
  GRYM_ASSIGN_OR_RETURN(const at::Tensor latents, WalkDown(run, wanted));
  if (wanted.window > 0 && wanted.shape[2] > wanted.window) {
    std::vector<int64_t> seams = WindowStarts(wanted.shape[2], wanted.window);
    seams.erase(seams.begin());
    run.result.facts["seam_ratio"] = Formatted("%.3f", SeamRatio(latents, seams));
  }
  run.EndPhase("unet", start);
  return latents;
}

absl::StatusOr<at::Tensor> AudioLdmGenerator::WalkDown(Run& run, const DenoiseRequest& wanted) const {
  const AudioLdmParts& parts = model_->parts();
  const auto solver = run.request.parameters.find("solver");
  const bool dpm = solver != run.request.parameters.end() && solver->second == "dpmsolver++";
  int64_t bad_step = -1;
  const auto look = [&bad_step](int64_t step, const at::Tensor& now) {
    if (bad_step < 0 && !now.isfinite().all().item<bool>()) bad_step = step;
  };
  GRYM_ASSIGN_OR_RETURN(const auto net, run.Fetch(model_->unet(), "unet", &model_->streamed_unet()));
  DenoiseState state;
  if (const PlainDenoiseState kept = model_->kept_run().Take(run.key); !kept.empty()) {
    state = kept.On(model_->context().device);
    run.result.facts["resumed_from_step"] = std::to_string(kept.position);
  }
  const RunOptions part = PartOf(run.options, 0.05, 0.8);
  absl::StatusOr<at::Tensor> latents =
      Denoise(*net, dpm ? parts.dpm_solver : parts.schedule, wanted, part, &state, look);
  if (bad_step >= 0) {
    return Error(absl::StatusCode::kInternal, "non_finite_result",
                 Formatted("audioldm: want finite latents, step %d gave others", bad_step));
  }
  run.done = PlainDenoiseState::Of(state);
  return latents;
}

absl::StatusOr<at::Tensor> AudioLdmGenerator::MakeWave(Run& run, at::Tensor latents) const {
  Clock::time_point start = Clock::now();
  at::Tensor mel;
  {
    GRYM_ASSIGN_OR_RETURN(const auto net, run.Fetch(model_->decoder()));
    latents = at::div(latents, model_->parts().vae.scaling_factor);
    GRYM_ASSIGN_OR_RETURN(mel, net->Decode(latents, run.plan.tile_frames, PartOf(run.options, 0.8, 0.9)));
    latents.reset();
  }
  run.EndPhase("vae", start);
  start = Clock::now();
  at::Tensor wave;
  {
    GRYM_ASSIGN_OR_RETURN(const auto net, run.Fetch(model_->vocoder()));
    GRYM_ASSIGN_OR_RETURN(
        wave, net->Synthesize(mel.select(1, 0), run.plan.chunk_frames, PartOf(run.options, 0.9, 1)));
  }
  run.EndPhase("vocoder", start);
  wave = wave.to(at::kCPU, at::kFloat).contiguous();
  if (!wave.isfinite().all().item<bool>()) {
    return Error(absl::StatusCode::kInternal, "non_finite_result",
                 "audioldm: want finite samples, the autoencoder or the vocoder gave others");
  }
  return wave;
}

absl::StatusOr<GenerateAudioResult> AudioLdmGenerator::Make(Run& run) const {
  GRYM_ASSIGN_OR_RETURN(const at::Tensor embeddings, EmbedTexts(run));
  at::Tensor original;
  if (!run.sound.empty()) {
    GRYM_ASSIGN_OR_RETURN(original, EncodeSound(run));
  }
  GRYM_ASSIGN_OR_RETURN(at::Tensor latents, MakeLatents(run, embeddings, original));
  original.reset();
  GRYM_ASSIGN_OR_RETURN(const at::Tensor wave, MakeWave(run, std::move(latents)));
  const int64_t frames = std::min(model_->parts().geometry.SoundFrames(run.work.duration_s), wave.size(-1));
  GRYM_ASSIGN_OR_RETURN(run.result.audio, AudioBuffer::Create(1, frames, model_->info().rate_hz));
  std::copy_n(wave.const_data_ptr<float>(), frames, run.result.audio.mutable_channel(0).begin());
  return std::move(run.result);
}

absl::StatusOr<GenerateAudioResult> AudioLdmGenerator::Generate(const GenerateAudioRequest& request,
                                                                const RunOptions& given) {
  const RunOptions options = ForHost(given);
  Run run{request, options, {}, {}, {}, {}, 0, {}, {}, {}};
  GRYM_RETURN_IF_ERROR(Prepare(run));
  absl::StatusOr<GenerateAudioResult> made = absl::UnknownError("");
  {
    const BudgetScope scope(run.lease);
    made = TorchGuard("audioldm", [&] { return Make(run); });
  }
  if (absl::IsCancelled(made.status()) && !run.done.empty()) model_->kept_run().Keep(run.key, std::move(run.done));
  if (!made.ok()) return made.status();
  made->peak_bytes = run.lease.peak_bytes();
  GenerateAudioRequest resolved = request;
  resolved.model = model_->info().id;
  resolved.steps = static_cast<int>(run.work.steps);
  resolved.guidance = run.work.guidance;
  made->provenance.request_json = RequestToJson(resolved);
  SignResult(model_->info(), request, made->provenance);
  made->facts["plan"] = run.plan.memory.ToJson().Dump();
  return made;
}

}  // namespace grym
