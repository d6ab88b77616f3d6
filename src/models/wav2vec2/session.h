// A recording of any length through wav2vec2, window by window.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "grymsynth/model.h"
#include "grymsynth/tokenizer.h"
#include "models/wav2vec2/net.h"
#include "models/wav2vec2/sound.h"
#include "runtime/memory_lease.h"

namespace grym {

// Up to `longest_s` a recording is one window, and what comes out is exact. A longer one is cut: the convolutions and
// their normalisation answer the same then (SoundStatistics), the position convolution, which reaches 1.28 s to either
// side, too; attention alone sees `longest_s` in place of everything. Thirty seconds because the published models were
// trained on at most 20, so that there is nothing to learn from beyond, and because attention's cost, which grows with
// the square, is a third of a window's there.
struct Wav2Vec2Windows {
  double longest_s = 30;
  double context_s = 2.5;  // at either side of what a window keeps
};

// What was heard, [frames, dim] each; what was not wanted is empty.
struct Wav2Vec2Heard {
  FloatArray extract_features, last_hidden_state, logits;
  std::vector<FloatArray> hidden_states;
  std::vector<int32_t> ctc_ids;  // of the largest logit of each frame
  std::vector<float> mean;       // of last_hidden_state over all frames, [hidden]
  int64_t windows = 0;
};

// Each id once for a run of it, and no blank. Source: Graves et al., "Connectionist Temporal Classification", 2006.
std::vector<int32_t> CollapseCtc(const std::vector<int32_t>& ids, int64_t blank);

// Frames that a window may have, and its context, for this model; never too short for one window to follow another.
struct WindowFrames {
  int64_t longest = 0, context = 0;
};
WindowFrames FramesOfWindows(const Wav2Vec2Config& config, const Wav2Vec2Windows& windows);

class Wav2Vec2Session : public Embedder {
 public:
  // The net, and the lease that a run over windows of so many frames works under: it outlives the net. Asked at the
  // start of every call.
  struct Run {
    MemoryLease lease;
    std::shared_ptr<const Wav2Vec2Net> net;
  };
  using Start = std::function<absl::StatusOr<Run>(int64_t frames, const Wav2Vec2Wants& wants, const RunOptions&)>;
  // What the ids of a CTC head mean, or why that is not known.
  using Letters = absl::StatusOr<std::shared_ptr<const Tokenizer>>;
  // `letters`, borrowed, is null for a model without such a head.
  Wav2Vec2Session(const Wav2Vec2Config& config, Start start, const Wav2Vec2Windows& windows = {},
                  const Letters* letters = nullptr)
      : config_(config), start_(std::move(start)), windows_(windows), letters_(letters) {}

  int dims() const override { return static_cast<int>(config_.hidden); }
  // The mean of the last hidden state over time, at unit length.
  absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions& run) override;
  // As transformers' output_hidden_states: layers + 1 arrays [frames, hidden].
  absl::StatusOr<std::vector<FloatArray>> HiddenStates(const AudioBuffer& audio, const RunOptions& run) override;

  // The likeliest letter of each frame, repeats once and blanks left out, as transformers' Wav2Vec2CTCTokenizer decodes
  // them. Unimplemented (code "no_transcription") without a CTC head; NotFound ("no_tokenizer") and other errors of
  // OpenTokenizer for a folder that does not tell its letters.
  absl::StatusOr<std::string> Transcribe(const AudioBuffer& audio, const RunOptions& run) override;

  // Everything at once. InvalidArgument (code "audio_too_short") below one frame of the model, 25 ms for the published
  // ones; Internal ("non_finite_result"); Cancelled; what opening and decoding `input` answers. `want_last`: whether the
  // last hidden state is kept beside its mean. Apart from what is kept memory does not grow with the recording.
  absl::StatusOr<Wav2Vec2Heard> Listen(const AudioInput& input, const Wav2Vec2Wants& wants, bool want_last,
                                       const RunOptions& run);

 private:
  struct Work;
  absl::StatusOr<SoundStatistics> Measure(BlockSource& source, const RunOptions& run) const;
  absl::Status RunWindow(const EncodeWindow& window, Work& work) const;

  const Wav2Vec2Config config_;
  const Start start_;
  const Wav2Vec2Windows windows_;
  const Letters* const letters_;
};

}  // namespace grym
