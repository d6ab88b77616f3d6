// One code out of a row of logits: guidance, temperature, top-k, top-p, and the draw.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace grym {

struct SamplingOptions {
  double guidance = 3;     // above 1: unconditional + guidance * (conditional - unconditional)
  double temperature = 1;  // 0, and below 1e-6: the largest logit, the first of equals; nothing is drawn
  int64_t top_k = 50;      // the largest so many, and all that equal the last of them; 0: all
  double top_p = 1;        // the smallest set of the likeliest that holds this much; 1: all

  bool guided() const { return guidance > 1; }
};

// Source: transformers 5.23, logits_process.py: ClassifierFreeGuidance, Temperature, TopK, TopP in this order, on
// float32; then one draw of the softmax. Differs: the draw is from our own generator, which is the same everywhere.
// Allocates when made, never after. Threads: one.
class CodeSampler {
 public:
  // Requires vocab > 0. Equal seeds draw equally, whatever else is drawn beside them.
  CodeSampler(int64_t vocab, const SamplingOptions& options, int64_t seed);

  // `unconditional` is read where options().guided(), both [vocab]. -1 where the logits hold NaN, or nothing finite.
  int32_t Draw(const float* conditional, const float* unconditional);
  // What is left to draw from after all processors, -infinity for what is out; valid until the next call. Empty for
  // logits that Draw answers -1 to.
  std::span<const float> Scores(const float* conditional, const float* unconditional);

  const SamplingOptions& options() const { return options_; }
  // Where the generator stands, for a state that is saved.
  const Random& random() const { return random_; }
  void SetRandom(const Random& random) { random_ = random; }

 private:
  bool Guide(const float* conditional, const float* unconditional);
  void KeepLargest();
  void KeepLikeliest();
  SamplingOptions options_;
  Random random_;
  std::vector<float> scores_, sorted_, weights_;
  std::vector<int32_t> order_;
};

}  // namespace grym
