// EnCodec's decoder: codes to sound, whole or block by block.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"
#include "models/encodec/config.h"
#include "models/encodec/layers.h"
#include "models/encodec/lstm.h"
#include "models/encodec/quantizer.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Frames of codes that the outermost layers and the LSTM take at once: enough for their weights to be read rarely, 5 s
// at 50 Hz. What follows goes in pieces that fit into the caches, so that memory does not grow with the sound.
inline constexpr int64_t kEncodecChunkFrames = 256;

// Source: Defossez et al., "High Fidelity Neural Audio Compression", 2022, section 3.1; layers as transformers 5.23,
// modeling_encodec.py. Every layer takes its input piece by piece and keeps what its next output needs, so that the
// whole is exactly the blocks one after another. On the CPU, in float32 or bfloat16 (nn/panel_matrix.h).
// Immutable and shared by sessions. LibTorch's exceptions go through: call under a TorchGuard and a BudgetScope.
class EncodecDecoder {
 public:
  // Names begin with `prefix`: "" for a folder of its own, "audio_encoder." within MusicGen's. Weight norms in both
  // spellings, or fused. DataLoss as WeightReader::status, Cancelled.
  static absl::StatusOr<std::shared_ptr<const EncodecDecoder>> Load(const TensorSet& set, const EncodecConfig& config,
                                                                    const WeightOptions& options,
                                                                    const std::string& prefix = "");
  // InvalidArgument (code "bad_codes") unless codes are int64 [1 .. books, frames > 0], in [0, codebook_size).
  absl::Status Check(const at::Tensor& codes) const { return quantizer_.Check(codes); }
  // Requires codes that Check accepts; fewer books than the config has are a coarser sound. Answers float32
  // [audio_channels, frames * hop], or an undefined tensor once `cancel` is set.
  at::Tensor Decode(const at::Tensor& codes, const CancelToken& cancel = {},
                    int64_t chunk_frames = kEncodecChunkFrames) const;
  const EncodecConfig& config() const { return config_; }
  class Stream;

  // Frames of codes whose sound Stream still holds back once it flows: what the layers look ahead.
  static int64_t LatencyFrames(const EncodecConfig& config);
  // Frames after which every layer of a Stream keeps as much as it ever does between two pushes.
  static int64_t SettledFrames(const EncodecConfig& config);
  // What Load keeps, and the most that Decode takes beside it, its result included. At most 10 % above the measured.
  static int64_t WeightBytes(const EncodecConfig& config, Precision precision);
  static int64_t WorkingBytes(const EncodecConfig& config, int64_t frames, int64_t chunk_frames = kEncodecChunkFrames);

 private:
  struct Level {
    EncodecUpsample upsample;
    std::vector<EncodecResidual> residuals;
  };
  explicit EncodecDecoder(const EncodecConfig& config);  // the shapes alone
  void Read(WeightReader& weights);
  // The first `count` of [frames, channels] as [channels, count].
  static at::Tensor Planar(const at::Tensor& frames, int64_t count);
  EncodecConfig config_;
  CodeBooks quantizer_;
  EncodecConv first_, last_;
  std::vector<LstmLayer> lstm_;
  std::vector<Level> levels_;
};

// Codes in, the samples that are final out; all of them together are what Decode answers, up to rounding. Belongs to
// one thread; `decoder` must outlive it. Dropped once it was cancelled. Its room is taken at once and given back with it.
class EncodecDecoder::Stream {
 public:
  // `block_frames`: the most that is worked on at once; a longer push is cut.
  explicit Stream(const EncodecDecoder& decoder, int64_t block_frames = kEncodecChunkFrames);
  // codes that Check accepts -> float32 [audio_channels, n], n >= 0. The number of books may not change.
  at::Tensor Push(const at::Tensor& codes, const CancelToken& cancel = {});
  // The rest; nothing may be pushed after it.
  at::Tensor Finish();
  // All that is left of what was pushed: a fresh stream that Recall gave it goes on to the same bits.
  std::vector<float> Memory();
  // As if `frames` frames had been pushed, whose stream had this memory. Answers how many samples of each channel that
  // one had given. InvalidArgument (code "bad_memory") for a memory of another size.
  absl::StatusOr<int64_t> Recall(int64_t frames, std::span<const float> memory);
  int64_t bytes() const;  // of its room
  // The most that a stream takes whose pushes are of at most so many frames, its room and its answers.
  static int64_t BytesFor(const EncodecConfig& config, int64_t block_frames);

 private:
  friend class EncodecDecoder;
  struct LevelState {
    FrameQueue input;  // a frame of the past, and what waits
    int64_t most_rows = 0, trimmed = 0;
    bool begun = false;
    std::vector<ResidualStream> residuals;
  };
  // As Push and Finish, with the samples written to `sink`, frame by frame; answers how many frames. -1: cancelled.
  int64_t PushTo(const at::Tensor& codes, const CancelToken& cancel, float* sink);
  int64_t FinishTo(float* sink);
  std::vector<std::span<float>> Kept();
  void RunLatent(bool last);
  void RunLevel(size_t level, bool last);
  void RunResidual(size_t level, size_t index, bool last);
  void Upsample(size_t level, int64_t at, int64_t rows);
  float* LevelInput(size_t level, int64_t frames);

  const EncodecDecoder& net_;
  const int64_t block_frames_;
  ConvStream first_, last_;
  FrameQueue latent_;
  LstmStream lstm_;
  std::vector<LevelState> levels_;
  int64_t frames_in_ = 0, samples_out_ = 0;
  float* sink_ = nullptr;
  int64_t sunk_ = 0;
  const CancelToken* cancel_ = nullptr;
};

}  // namespace grym
