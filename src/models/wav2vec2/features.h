// The convolutions over the samples, as products of matrices, a stretch of time after another.
#pragma once
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "models/wav2vec2/config.h"
#include "models/wav2vec2/sound.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

struct FeatureConv {
  at::Tensor weight;     // [kernel * in, out], so that a row of the product reads `kernel` rows that lie in one piece
  at::Tensor rows;       // or [out, kernel * in] in the storage type, as nn/bfloat_conv.h reads them
  at::Tensor halving;    // or as nn/halving_conv.h reads them
  at::Tensor bias;       // [out], or undefined
  at::Tensor norm_weight, norm_bias;  // [out], or undefined: no norm after this one
};

// Source: Baevski et al., "wav2vec 2.0", 2020, section 2 and appendix B; layout as transformers' Wav2Vec2FeatureEncoder.
// Differs in the order of sums alone:
// - Activations are [frames, channels]. A convolution of stride s is a product for every s taps, whose rows lie one after
//   another in memory, without copies (as_strided, leading dimension s * channels).
//   Where there are kernels for it, that of three taps and stride two takes five sixths of the products (nn/halving_conv.h).
// - The norm over time after the first convolution is linear in its input once mean and variance are known, and they
//   follow from the mean and covariance of the input's patches of `kernel` samples: W' C W is the variance. So it becomes
//   part of the first weights, and a window of a recording is normalised as the whole of it would be.
// - Time is cut into stretches that the cache holds; each is computed through all layers. The few rows that two stretches
//   need both (80 samples of 400) are computed twice.
class FeatureEncoder {
 public:
  static FeatureEncoder Read(WeightReader& weights, const Wav2Vec2Config& config);

  // `samples`, normalised, float32 [count] -> [frames, conv_dim.back()] in the compute type. Requires count >=
  // SamplesOf(1). `between`, if set, is called before each stretch; what it answers ends the run.
  absl::StatusOr<at::Tensor> operator()(const at::Tensor& samples, const SoundStatistics& statistics,
                                        const std::function<absl::Status()>& between = {}) const;
  // The most that the above takes at once, with its result, without `samples`.
  static int64_t WorkingBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device, int64_t frames);
  static int64_t WeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device);

 private:
  // The first convolution with the norm after it.
  FeatureConv WithNorm(const SoundStatistics& statistics) const;
  at::Tensor FirstRows(const FeatureConv& conv, const at::Tensor& samples, int64_t rows) const;
  at::Tensor Rows(size_t layer, const at::Tensor& x, int64_t rows) const;
  void Finish(const FeatureConv& conv, at::Tensor& x) const;

  Wav2Vec2Config config_;
  c10::ScalarType type_ = c10::ScalarType::Float;
  std::vector<FeatureConv> convs_;
};

}  // namespace grym
