// What MusicGen is made of, as everything around the network sees it: plain numbers, no tensors. The pipeline is
// written against this, and tested with networks of a few lines.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_codec.h"
#include "grymsynth/job.h"
#include "models/musicgen/delay_pattern.h"
#include "models/musicgen/melody_chroma.h"
#include "models/musicgen/sampler.h"
#include "runtime/device.h"
#include "runtime/memory_lease.h"

namespace grym {

// The facts of a checkpoint that its surroundings need.
struct MusicgenShape {
  DelayPattern pattern;          // books of all channels, and channels
  int64_t vocab = 2048;          // codes of a book
  int32_t pad = 2048;            // what stands where no frame lies
  int rate_hz = 32000;
  int64_t hop = 640;             // samples of a frame
  int64_t window_frames = 1500;  // what the network was trained for: 30 s
  bool melody = false;           // told a melody beside the text, both before the codes
  ChromaOptions chroma;
  SamplingOptions defaults;      // of generation_config.json

  double frame_rate_hz() const { return static_cast<double>(rate_hz) / static_cast<double>(hop); }
};

// A text as its encoder understands it: [tokens, width], row-major.
struct TextStates {
  int64_t tokens = 0, width = 0;
  std::vector<float> values;
};

// What one row of the network is told. Borrowed for the call.
struct RowCondition {
  const TextStates* text = nullptr;  // nullptr: no text at all, one position that nothing is heard from
  std::span<const uint8_t> melody;   // a class for each frame of ChromaOptions::length; empty: none
  // The other half of a guided row: text states of zeros, as many as `text` has, and no melody.
  bool unconditional = false;
};

// The network. Threads: const methods may run together, each with a state of its own.
class CodeModel {
 public:
  // Everything mutable of some rows that are decoded side by side. Ends before the model.
  class State {
   public:
    virtual ~State() = default;
  };
  virtual ~CodeModel() = default;
  // For `most_steps` steps at most. ResourceExhausted; Cancelled, also while a melody is taken in.
  virtual absl::StatusOr<std::unique_ptr<State>> NewState(std::span<const RowCondition> rows, int64_t most_steps,
                                                          const CancelToken& cancel) const = 0;
  // codes [rows, books], one step of each row -> logits [rows, books, vocab]. On the CPU a row's logits have the same
  // bits whatever rows are beside it, and whether its steps came one by one or many at once; on a GPU the last ones may
  // differ.
  virtual absl::Status Step(State& state, std::span<const int32_t> codes, float* logits) const = 0;
  // codes [rows, steps, books] -> logits of the last step. Cancelled in between; the state is then of no use.
  virtual absl::Status Prefill(State& state, std::span<const int32_t> codes, int64_t steps, float* logits,
                               const CancelToken& cancel) const = 0;
};

// Whatever the others are kept in: its sound is the result itself.
inline constexpr Precision kMusicgenCodecPrecision = Precision::kFloat32;

// The codec's way back, piece by piece. All answers one after another are the sound of all codes, hop samples a frame.
class SoundStream {
 public:
  virtual ~SoundStream() = default;
  // codes [books, frames] -> the samples that are final by now, [channels, any], channel after channel.
  virtual absl::StatusOr<std::vector<float>> Push(std::span<const int32_t> codes, int64_t frames) = 0;
  virtual absl::StatusOr<std::vector<float>> Finish() = 0;  // the rest
  // All that is left of what was pushed, and a fresh stream's going on from there: `frames` had been pushed; answers
  // how many samples of each channel were final then. InvalidArgument for a memory of another size.
  virtual std::vector<float> Memory() = 0;
  virtual absl::StatusOr<int64_t> Recall(int64_t frames, std::span<const float> memory) = 0;
};

// What a run takes; see MusicgenModel::PlanFor.
struct MusicgenWork {
  int64_t rows = 2;        // of the network, guidance counted
  int64_t steps = 0;       // of the longest window
  int64_t tokens = 0;      // of the longest text
  int64_t pieces = 1;      // whose sound is made side by side
  int64_t prompt_samples = 0;  // of a recording that is continued; 0: none
  bool has_text = true;
};
struct MusicgenBytes {
  int64_t text_weights = 0, text_working = 0;
  int64_t decoder_weights = 0, cache = 0, decoder_working = 0;
  int64_t codec_weights = 0, codec_working = 0;
  int64_t encoder_weights = 0, encoder_working = 0;  // of the codec, for a recording that is continued
  bool rest_on_cpu = false;  // the decoder alone is on the model's device
};

// Loads what is asked for when it is first asked for, and lets it go when told. Threads: any.
class MusicgenNets {
 public:
  virtual ~MusicgenNets() = default;
  virtual const MusicgenShape& shape() const = 0;
  // Of configs and headers: a state that another checkpoint saved is told by it.
  virtual const std::string& fingerprint() const = 0;
  // Ids of a text, </s> among them. Errors of Tokenizer::Encode.
  virtual absl::StatusOr<std::vector<int32_t>> Tokens(const std::string& text) const = 0;
  virtual absl::StatusOr<TextStates> EncodeText(std::span<const int32_t> ids, const CancelToken& cancel) const = 0;
  virtual absl::StatusOr<std::shared_ptr<const CodeModel>> Network(const CancelToken& cancel) const = 0;
  virtual absl::StatusOr<std::unique_ptr<SoundStream>> NewSound(const CancelToken& cancel) const = 0;
  // wave [channels, samples] at the codec's rate -> codes [books, frames].
  virtual absl::StatusOr<std::vector<int32_t>> EncodeSound(std::span<const float> wave, int64_t samples,
                                                           const CancelToken& cancel) const = 0;
  // The codec as a tool of its own, for the model of that id; `owner`, its reclaimer's, stays while the codec does.
  virtual absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec(const std::string& id,
                                                               std::shared_ptr<const void> owner) const = 0;
  virtual MusicgenBytes Bytes(const MusicgenWork& work) const = 0;
  enum Part { kText = 1, kNetwork = 2, kSound = 4, kEncoder = 8, kAll = 15 };
  virtual void Drop(int parts) const = 0;  // their memory is free once nobody uses them
  // As Component's, of these parts: what is loaded need not be taken again, and what is idle can go.
  virtual void Claim(int parts, LeaseAsk& ask) const = 0;
  virtual int64_t Idle(bool let_go) const = 0;
  // Loads the parts, and keeps them from going as idle while the lease lives.
  virtual absl::Status Hold(int parts, MemoryLease& lease, const CancelToken& cancel) const = 0;
  // As Model::SaveCopy.
  virtual absl::Status SaveCopy(const std::filesystem::path& out, const RunOptions& run) const;
  // The same networks, with weights that nobody shares: those of a run that lets parts go when they are done.
  virtual std::shared_ptr<const MusicgenNets> Alone() const = 0;
};

}  // namespace grym
