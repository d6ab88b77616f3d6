// The residual vector quantiser: frames of numbers as rows of codebooks, each of which takes what those before it left.
#pragma once
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "models/encodec/config.h"
#include "nn/panel_matrix.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Source: Defossez et al., "High Fidelity Neural Audio Compression", 2022, section 3.2. Immutable once read.
class CodeBooks {
 public:
  CodeBooks() = default;
  explicit CodeBooks(const EncodecConfig& config);
  // "quantizer.layers.<book>.codebook.embed"; the training's statistics beside it are skipped. `to_encode`: with what
  // Quantize wants as well.
  void Read(WeightReader& weights, bool to_encode);
  static int64_t WeightBytes(const EncodecConfig& config, bool to_encode);

  int64_t books() const { return books_; }
  // InvalidArgument (code "bad_codes"), see EncodecDecoder::Check.
  absl::Status Check(const at::Tensor& codes) const;
  // The rows of frames [begin, begin + frames) summed over the books: y [frames, dim].
  void Sum(const at::Tensor& codes, int64_t begin, int64_t frames, float* y) const;
  // x [frames, dim], which is changed into what no book has taken -> codes int64 [books, frames], written with
  // `stride` from one book to the next. `distances` is room for frames * book size floats. The nearest row by the
  // reference's own formula, -(|x|^2 - 2 x e + |e|^2), and the first of equally near ones.
  void Quantize(float* x, int64_t frames, float* distances, int64_t* codes, int64_t stride) const;

 private:
  int64_t books_ = 0, size_ = 0, dim_ = 0;
  std::vector<at::Tensor> rows_;      // [size, dim] each
  std::vector<PanelMatrix> products_;  // the same for Quantize
  at::Tensor squares_;                // [books, size]: of the rows' lengths
};

}  // namespace grym
