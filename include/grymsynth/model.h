// Model, Session, Generator, Embedder: what everything that makes or hears by a model stands behind.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_codec.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/export.h"
#include "grymsynth/generation.h"
#include "grymsynth/generation_stream.h"
#include "grymsynth/job.h"

namespace grym {

enum class ParamType { kBool, kInt, kFloat, kString, kChoice };

struct ParamSpec {
  std::string name;
  ParamType type = ParamType::kFloat;
  std::string unit;                  // "Hz", "dB", "s", "" for none
  double minimum = 0, maximum = 0;   // for numbers; equal means unbounded
  std::vector<std::string> choices;  // for kChoice
  std::string default_value;
  std::string text;
};

enum class Capability {
  kGenerate,
  kEnhance,
  kEmbedAudio,
  kAnalyze,
  kClassifyStyle,
  kDetectPatterns,
  kCompare,
  kStream,  // gives sound while it makes the rest; never a task of its own
  kCode,    // opens an AudioCodec; never a task of its own
  kEmbedText,  // of a task: its request's prompt, in the space of the model's kEmbedAudio
};
GRYM_EXPORT std::string_view CapabilityName(Capability capability);  // "generate", "enhance", ...

struct ModelInfo {
  std::string id;       // [a-z0-9][a-z0-9._-]{0,63}
  std::string version;
  std::string name;
  std::string description;
  std::string licence;
  std::vector<Capability> capabilities;
  std::vector<ParamSpec> params;              // its own, by name
  // Members of GenerateAudioRequest it honours beyond prompt, duration and seed, by their C++ names: "negative_prompt",
  // "tempo_bpm", "reference_audio" (which stands for reference_buffer too), "want_stems", ...
  std::vector<std::string> request_fields;
  int rate_hz = 44100;                        // what it makes or wants; 0: the recording's
  int channels = 2;                           // the same
  std::string device = "cpu";
  int64_t weights_bytes = 0;
  double seconds_per_audio_second = 0;        // a first guess; measured runs replace it
  // Of a model that keeps to a budget of its own, by its own leases: its bytes are not charged to the device's. 0: they
  // are.
  int64_t own_budget_bytes = 0;
};

// What a call would need, stated before anything is loaded.
struct ResourceNeed {
  int64_t weights_bytes = 0;
  int64_t peak_bytes = 0;  // beside the weights
  int cores = 1;
  double seconds = 0;      // estimated
};

// All mutable state of a model at work; belongs to one thread. After an error it is poisoned: drop it.
class GRYM_EXPORT Session {
 public:
  virtual ~Session() = default;
  // What the last call of an Embedder or Analyzer did otherwise than asked, in words ("text: cut to 512 tokens, 3 were
  // dropped"); a Generator's are in its result.
  const std::vector<std::string>& warnings() const { return warnings_; }

 protected:
  std::vector<std::string> warnings_;
};

class GRYM_EXPORT Generator : public Session {
 public:
  // The request is valid and its seed is set. Polls the token at least every 50 ms.
  virtual absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) = 0;
  // Several requests, each valid, in one go where the model can; by default one after another. Answers in their order,
  // each as Generate would answer it, or the first error.
  virtual absl::StatusOr<std::vector<GenerateAudioResult>> GenerateBatch(
      std::span<const GenerateAudioRequest> requests, const RunOptions& run);
  // The same piece by piece. By default the whole is made at the first Next and handed out a second at a time; a model
  // of Capability::kStream gives what it has.
  virtual absl::StatusOr<std::unique_ptr<GenerationStream>> Stream(const GenerateAudioRequest& request);
  // Goes on from GenerationStream::Save, with the blocks that were not given yet. Unimplemented (code
  // "no_saved_state"); DataLoss for a damaged file; FailedPrecondition (code "other_model") for one that another
  // checkpoint saved.
  virtual absl::StatusOr<std::unique_ptr<GenerationStream>> Resume(const std::filesystem::path& saved);
};

// Numbers with a shape, row-major: shape {2, 3} holds [[v0 v1 v2] [v3 v4 v5]].
struct FloatArray {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

class GRYM_EXPORT Embedder : public Session {
 public:
  virtual int dims() const = 0;
  // One unit vector [dims] for the whole buffer; pooling over windows is the embedder's. Any rate and channel count.
  virtual absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions& run) = 0;
  // A text in the same space, unit length; a long one is cut, and warnings() says so. Unimplemented (code "no_text")
  // for one that hears only.
  virtual absl::StatusOr<std::vector<float>> EmbedText(std::string_view text_utf8, const RunOptions& run);
  // What each layer answers, the input of the first layer first: shape [frames, dim] each, or what the model's README
  // says. Unimplemented (code "no_hidden_states") for one that has no layers.
  virtual absl::StatusOr<std::vector<FloatArray>> HiddenStates(const AudioBuffer& audio, const RunOptions& run);
  // What is said in the recording, as the model writes it. Unimplemented (code "no_transcription") for one that was not
  // trained to write.
  virtual absl::StatusOr<std::string> Transcribe(const AudioBuffer& audio, const RunOptions& run);
};

// Hears: analysis, style, patterns, comparison. What it answers is JSON text in the schema of the capability
// ("grymsynth.features/1", "grymsynth.style/1", "grymsynth.patterns/1", "grymsynth.comparison/1").
class GRYM_EXPORT Analyzer : public Session {
 public:
  // `inputs` are borrowed for the call: one recording, or original and result for kCompare.
  virtual absl::StatusOr<std::string> Hear(Capability capability, std::span<const AudioInput> inputs,
                                           const RunOptions& run) = 0;
};

// Immutable; may be shared by many sessions and threads. Sessions are destroyed before their model.
class GRYM_EXPORT Model {
 public:
  virtual ~Model() = default;
  virtual const ModelInfo& info() const = 0;
  virtual ResourceNeed Need(const GenerateAudioRequest& request) const = 0;
  // What hearing (or embedding) `audio_s` seconds takes; by default as Need of a request that long.
  virtual ResourceNeed NeedToHear(Capability capability, double audio_s) const;
  // Unimplemented (naming the model) for what it cannot do.
  virtual absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const;
  // A dry run: which parts live where, in which numbers and tiles, what is let go when, and the bytes of it all. JSON
  // text (schema "grymsynth.plan/1"). ResourceExhausted, with both numbers, when no plan keeps to the budget.
  virtual absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const;
  virtual absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const;
  virtual absl::StatusOr<std::unique_ptr<Analyzer>> NewAnalyzer() const;
  virtual absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec() const;
  // Writes what was opened as a checkpoint folder `out` of its own, whose weights lie as they are kept here: opened, it
  // converts nothing and answers the same bits. `out` is not there yet or empty; afterwards it is there whole or not at
  // all. Unimplemented (code "no_copy") for a family that has none; AlreadyExists ("folder_exists"); FailedPrecondition
  // ("nothing_to_pack") for weights that lie so already, ("packed_for_cpu") for a MusicGen on a GPU: the CPU
  // alone reads its copies; ResourceExhausted where disk or budget are too small.
  virtual absl::Status SaveCopy(const std::filesystem::path& out, const RunOptions& run) const;
};

// How a published checkpoint is opened.
struct OpenModelOptions {
  std::string id;                 // "": the family and the folder's name, made a legal id
  std::string device = "auto";    // "auto", "cpu", "cuda", "cuda:N"
  // Of the weights: float32, bfloat16x3, bfloat16, float16, int8, int4; what is kept in more bits, as it would lose too
  // much, stands in the plan. "": what a packed copy (Model::SaveCopy) holds, which opens in no other; else float32.
  // bfloat16x3 keeps float32 and multiplies by three products of bfloat16, each 5e-6 off and results 90 dB, for CPUs with
  // AMX; without AVX-512 BF16, on a GPU and for components with kernels of their own it is Unimplemented (code
  // "unsupported_dtype").
  std::string dtype;
  std::map<std::string, std::string> component_dtypes;  // for some components: {"unet": "int8"}
  // Of tensors at once, for this model alone and beside the device's, which may be smaller; 0: it shares that one.
  int64_t budget_bytes = 0;
  // What all models that share take together on a device; set by the engine, 0 is 6 GiB. The first model settles it.
  int64_t device_budget_bytes = 0;
  // Whether what is over the budget may be made to fit by fewer bits than `dtype`. Settled when the model is opened,
  // for the least that a request can be.
  bool may_lower_precision = false;
  // How long a call waits, in turn, for memory of the budget that other calls hold before it is refused (code
  // "over_budget"); 0: not at all. It is noticed within 50 ms when it is cancelled meanwhile.
  double most_wait_s = 60;
};

// Opens a folder as published (Hugging Face layout): NotFound, InvalidArgument or DataLoss for what it lacks or where
// it contradicts itself; of its weights no more is read before the first session than what tells them from others and
// how many bytes they take.
using ModelOpener = std::function<absl::StatusOr<std::shared_ptr<const Model>>(const std::filesystem::path& folder,
                                                                               const OpenModelOptions& options)>;

// Checks `request` against the model: its own parameters (type, range, choices) and the fields it cannot honour.
// A field counts as asked for when it is set or differs from a fresh request. Unsupported fields and unknown parameters
// are an error (code "unsupported_field"), or go to `warnings` when the request allows it; a known parameter with a
// bad value is always an error (code "bad_parameter").
GRYM_EXPORT absl::Status CheckRequestForModel(const ModelInfo& info, const GenerateAudioRequest& request,
                                              std::vector<std::string>* warnings);

}  // namespace grym
