// EnCodec's encoder: sound to codes, in memory that does not grow with the sound.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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

// Samples that are worked on at once; a whole number of frames of any published codec, and 0.5 s at 32 kHz.
inline constexpr int64_t kEncodecChunkSamples = 16000;

// Sources, devices and threads as of EncodecDecoder.
class EncodecEncoder {
 public:
  static absl::StatusOr<std::shared_ptr<const EncodecEncoder>> Load(const TensorSet& set, const EncodecConfig& config,
                                                                    const WeightOptions& options,
                                                                    const std::string& prefix = "");
  // InvalidArgument (code "bad_wave") unless `wave` is float32 [audio_channels, samples > 0] on the CPU.
  absl::Status Check(const at::Tensor& wave) const;
  // Requires a wave that Check accepts -> int64 [books, config().FramesOf(samples)], or an undefined tensor once
  // `cancel` is set. All books of the largest bandwidth: those of a smaller one are the first of them.
  at::Tensor Encode(const at::Tensor& wave, const CancelToken& cancel = {}) const;
  // What is quantised there: float32 [frames, hidden_size].
  at::Tensor States(const at::Tensor& wave, const CancelToken& cancel = {}) const;
  const EncodecConfig& config() const { return config_; }
  class Stream;

  // As of EncodecDecoder, for Encode.
  static int64_t WeightBytes(const EncodecConfig& config, Precision precision);
  static int64_t WorkingBytes(const EncodecConfig& config, int64_t samples);

 private:
  struct Level {
    std::vector<EncodecResidual> residuals;
    EncodecConv down;
  };
  explicit EncodecEncoder(const EncodecConfig& config);  // the shapes alone
  void Read(WeightReader& weights);
  EncodecConfig config_;
  EncodecConv first_, last_;
  std::vector<Level> levels_;
  std::vector<LstmLayer> lstm_;
  CodeBooks quantizer_;
};

// Samples in, the codes that are final out; all of them together are what Encode answers, up to rounding: where two
// rows of a book are equally near but for it, the other may be taken. Belongs to one thread; `encoder` must outlive it.
class EncodecEncoder::Stream {
 public:
  explicit Stream(const EncodecEncoder& encoder, int64_t chunk_samples = kEncodecChunkSamples);
  // wave float32 [audio_channels, samples], in any strides -> int64 [books, n], n >= 0; undefined once `cancel` is set.
  at::Tensor Push(const at::Tensor& wave, const CancelToken& cancel = {});
  // The rest; nothing may be pushed after it.
  at::Tensor Finish();
  int64_t bytes() const;  // of its room, without the codes

 private:
  friend class EncodecEncoder;
  struct LevelState {
    std::vector<ResidualStream> residuals;
    ConvStream down;
  };
  // Frames [frames, hidden_size] that are final go to `take`.
  using Take = std::function<void(float* states, int64_t frames)>;
  void PushTo(const at::Tensor& wave, const Take& take);
  void FinishTo(const Take& take);
  void RunFirst(const Take& take, bool last);
  void RunResidual(size_t level, size_t index, const Take& take, bool last);
  void RunLatent(const Take& take, bool last);
  float* Room(size_t level, size_t index, int64_t frames);
  at::Tensor Quantized(const std::function<void(const Take&)>& run);

  const EncodecEncoder& net_;
  const int64_t chunk_samples_;
  ConvStream first_, last_;
  std::vector<LevelState> levels_;
  FrameQueue latent_, states_, distances_;
  LstmStream lstm_;
  int64_t samples_in_ = 0, frames_out_ = 0;
};

}  // namespace grym
