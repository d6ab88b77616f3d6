#include "models/encodec/quantizer.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "runtime/memory_budget.h"

namespace grym {

CodeBooks::CodeBooks(const EncodecConfig& config)
    : books_(config.books()), size_(config.codebook_size), dim_(config.codebook_dim) {}

void CodeBooks::Read(WeightReader& weights, bool to_encode) {
  for (int64_t book = 0; book < books_; ++book) {
    const std::string layer = Formatted("quantizer.layers.%d.codebook.", book);
    rows_.push_back(weights.Exact(layer + "embed", {size_, dim_}));
    for (const char* name : {"inited", "cluster_size", "embed_avg"}) weights.Skip(layer + name);
    const at::Tensor& rows = rows_.back();
    if (!to_encode || !rows.defined()) continue;
    if (!squares_.defined()) squares_ = at::zeros({books_, size_}, at::kFloat);
    squares_.select(0, book).copy_((rows * rows).sum(1));
    products_.push_back(PanelMatrix::Pack(rows, {}));
  }
}

int64_t CodeBooks::WeightBytes(const EncodecConfig& config, bool to_encode) {
  const int64_t books = config.books(), size = config.codebook_size, dim = config.codebook_dim;
  const int64_t encode = to_encode ? books * PanelMatrix::BytesKept(dim, size) + AllocatedBytes(books * size * 4) : 0;
  return books * AllocatedBytes(size * dim * 4) + encode;
}

absl::Status CodeBooks::Check(const at::Tensor& codes) const {
  const auto bad = [](const std::string& text) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_codes", "encodec: " + text);
  };
  const bool shaped = codes.dim() == 2 && codes.scalar_type() == at::kLong && codes.is_cpu();
  if (!shaped || codes.size(0) < 1 || codes.size(0) > books_ || codes.size(1) < 1) {
    return bad(Formatted("want codes of shape [1 to %d books, frames], got %s", books_,
                         ShapeText({codes.sizes().begin(), codes.sizes().end()}).c_str()));
  }
  const at::Tensor flat = codes.contiguous();
  const int64_t* const values = flat.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    if (values[i] >= 0 && values[i] < size_) continue;
    return bad(Formatted("want codes in [0, %d), got %d in book %d, frame %d", size_, values[i], i / codes.size(1),
                         i % codes.size(1)));
  }
  return absl::OkStatus();
}

void CodeBooks::Sum(const at::Tensor& codes, int64_t begin, int64_t frames, float* y) const {
  const auto width = static_cast<size_t>(dim_);
  std::fill(y, y + static_cast<size_t>(frames) * width, 0.0f);
  for (int64_t book = 0; book < codes.size(0); ++book) {
    const int64_t* const indices = codes.const_data_ptr<int64_t>() + book * codes.stride(0);
    const float* const rows = rows_[static_cast<size_t>(book)].const_data_ptr<float>();
    for (int64_t frame = 0; frame < frames; ++frame) {
      const float* const row = rows + indices[(begin + frame) * codes.stride(1)] * dim_;
      float* const to = y + frame * dim_;
      for (size_t i = 0; i < width; ++i) to[i] += row[i];
    }
  }
}

void CodeBooks::Quantize(float* x, int64_t frames, float* distances, int64_t* codes, int64_t stride) const {
  for (size_t book = 0; book < products_.size(); ++book) {
    products_[book].Apply(x, dim_, frames, distances);
    const float* const rows = rows_[book].const_data_ptr<float>();
    const float* const squares = squares_.const_data_ptr<float>() + static_cast<int64_t>(book) * size_;
    int64_t* const chosen = codes + static_cast<int64_t>(book) * stride;
    at::parallel_for(0, frames, 16, [&](int64_t begin, int64_t end) {
      for (int64_t frame = begin; frame < end; ++frame) {
        float* const own = x + frame * dim_;
        float length = 0;
        for (int64_t i = 0; i < dim_; ++i) length += own[i] * own[i];
        const float* const products = distances + frame * size_;
        int64_t best = 0;
        float nearest = -(length - 2 * products[0] + squares[0]);
        for (int64_t row = 1; row < size_; ++row) {
          const float near = -(length - 2 * products[row] + squares[row]);
          if (near > nearest) {
            nearest = near;
            best = row;
          }
        }
        chosen[frame] = best;
        const float* const row = rows + best * dim_;
        for (int64_t i = 0; i < dim_; ++i) own[i] -= row[i];
      }
    });
  }
}

}  // namespace grym
