#include "nn/window_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/dispatch.h"
#include "nn/vector_exp.h"

namespace grym {
namespace {

constexpr int64_t kMostWindowTokens = 256, kMostHeadDim = 64, kKeysAtOnce = 64, kQueriesAtOnce = 4;
constexpr int64_t kAttentionLanes = grym::kLanes;

// One head of one window: keys by number, so that those of many tokens lie side by side, and values by token.
struct WindowHead {
  alignas(64) float keys[kMostHeadDim][kMostWindowTokens];
  alignas(64) float values[kMostWindowTokens][kMostHeadDim];
  alignas(64) float queries[kQueriesAtOnce][kMostHeadDim];
  alignas(64) float scores[kQueriesAtOnce][kMostWindowTokens];
};

// Sums of query numbers times keys, for 64 tokens from `keys` on: scores += q K.
GRYM_HOT void ScoreKeys(const float* query, int64_t dim, const float* keys, float* scores) {
  EightLanes sums[kKeysAtOnce / kAttentionLanes];
  for (int v = 0; v < kKeysAtOnce / kAttentionLanes; ++v) {
    sums[v] = *reinterpret_cast<const EightLanes*>(scores + v * kAttentionLanes);
  }
  for (int64_t d = 0; d < dim; ++d, keys += kMostWindowTokens) {
    const float q = query[d];
    for (int v = 0; v < kKeysAtOnce / kAttentionLanes; ++v) {
      sums[v] = sums[v] + q * *reinterpret_cast<const EightLanes*>(keys + v * kAttentionLanes);
    }
  }
  for (int v = 0; v < kKeysAtOnce / kAttentionLanes; ++v) {
    *reinterpret_cast<EightLanes*>(scores + v * kAttentionLanes) = sums[v];
  }
}

GRYM_INLINE void TakeLarger(EightLanes& most, const EightLanes& other) {
#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
  most = other > most ? other : most;
#else
  for (int lane = 0; lane < kAttentionLanes; ++lane) most.v[lane] = std::max(most.v[lane], other.v[lane]);
#endif
}

// scores -> e^(scores - largest); answers their sum.
GRYM_HOT float Exponentials(float* scores, int64_t tokens) {
  EightLanes largest = *reinterpret_cast<const EightLanes*>(scores), sums = 0.0f * largest;
  for (int64_t at = kAttentionLanes; at < tokens; at += kAttentionLanes) {
    TakeLarger(largest, *reinterpret_cast<const EightLanes*>(scores + at));
  }
  float lanes[kAttentionLanes], most, sum = 0;
  *reinterpret_cast<EightLanes*>(lanes) = largest;
  most = lanes[0];
  for (const float one : lanes) most = one > most ? one : most;
  for (int64_t at = 0; at < tokens; ++at) scores[at] = VectorExp(scores[at] - most);
  for (int64_t at = 0; at < tokens; at += kAttentionLanes) {
    sums = sums + *reinterpret_cast<const EightLanes*>(scores + at);
  }
  *reinterpret_cast<EightLanes*>(lanes) = sums;
  for (const float one : lanes) sum += one;
  return sum;
}

// Eight numbers of the mix for four queries, whose rows of scores lie kMostWindowTokens apart.
GRYM_HOT void MixValues(const float* scores, const float* values, int64_t tokens, const float* factors, float* out,
                        int64_t out_row) {
  EightLanes sums[kQueriesAtOnce];
  for (int i = 0; i < kQueriesAtOnce; ++i) sums[i] = 0.0f * *reinterpret_cast<const EightLanes*>(values);
  for (int64_t at = 0; at < tokens; ++at, values += kMostHeadDim) {
    const EightLanes value = *reinterpret_cast<const EightLanes*>(values);
    for (int i = 0; i < kQueriesAtOnce; ++i) sums[i] = sums[i] + scores[i * kMostWindowTokens + at] * value;
  }
  for (int i = 0; i < kQueriesAtOnce; ++i) {
    *reinterpret_cast<EightLanes*>(out + i * out_row) = factors[i] * sums[i];
  }
}

// Rows of one head out of the projected ones, which lie `row` apart.
GRYM_HOT void ReadHead(const float* keys, const float* values, int64_t row, const float* key_shift,
                       const float* value_shift, int64_t tokens, int64_t dim, WindowHead& head) {
  for (int64_t at = 0; at < tokens; ++at, keys += row, values += row) {
    for (int64_t d = 0; d < dim; ++d) {
      head.keys[d][at] = keys[d] + key_shift[d];
      head.values[at][d] = values[d] + value_shift[d];
    }
  }
}

struct WindowShape {
  int64_t tokens, heads, dim, row;  // row = 3 * heads * dim
};

// `window`, `shift` and `out` begin at the head's own columns, `bias` at its scores.
void AttendHead(const WindowShape& shape, const float* window, const float* shift, const float* bias, float* out,
                WindowHead& head) {
  const int64_t width = shape.heads * shape.dim;
  const float scale = 1 / std::sqrt(static_cast<float>(shape.dim));
  ReadHead(window + width, window + 2 * width, shape.row, shift + width, shift + 2 * width, shape.tokens, shape.dim,
           head);
  for (int64_t first = 0; first < shape.tokens; first += kQueriesAtOnce) {
    float factors[kQueriesAtOnce];
    for (int64_t i = 0; i < kQueriesAtOnce; ++i) {
      const float* const query = window + (first + i) * shape.row;
      for (int64_t d = 0; d < shape.dim; ++d) head.queries[i][d] = (query[d] + shift[d]) * scale;
      std::copy_n(bias + (first + i) * shape.tokens, shape.tokens, head.scores[i]);
      for (int64_t key = 0; key < shape.tokens; key += kKeysAtOnce) {
        ScoreKeys(head.queries[i], shape.dim, &head.keys[0][key], &head.scores[i][key]);
      }
      factors[i] = 1 / Exponentials(head.scores[i], shape.tokens);
    }
    for (int64_t d = 0; d < shape.dim; d += kAttentionLanes) {
      MixValues(head.scores[0], &head.values[0][d], shape.tokens, factors, out + first * width + d, width);
    }
  }
}

}  // namespace

bool CanAttendWindows(int64_t tokens, int64_t head_dim) {
  return tokens % kKeysAtOnce == 0 && tokens <= kMostWindowTokens && head_dim % kAttentionLanes == 0 &&
         head_dim <= kMostHeadDim;
}

void AttendWindows(const at::Tensor& projected, const at::Tensor& shift, const at::Tensor& bias, int64_t heads,
                   at::Tensor& out) {
  const WindowShape shape{projected.size(1), heads, projected.size(2) / 3 / heads, projected.size(2)};
  const std::vector<float> zeros(shift.defined() ? 0 : static_cast<size_t>(shape.row), 0.0f);
  const float* const from = projected.const_data_ptr<float>();
  const float* const moved = shift.defined() ? shift.const_data_ptr<float>() : zeros.data();
  const float* const biases = bias.const_data_ptr<float>();
  float* const to = out.mutable_data_ptr<float>();
  const int64_t biased = bias.size(0), area = shape.tokens * shape.tokens;
  at::parallel_for(0, projected.size(0) * heads, 4, [&](int64_t begin, int64_t end) {
    WindowHead work;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t window = item / heads, head = item % heads, column = head * shape.dim;
      AttendHead(shape, from + window * shape.tokens * shape.row + column, moved + column,
                 biases + (window % biased * heads + head) * area,
                 to + window * shape.tokens * heads * shape.dim + column, work);
    }
  });
}

}  // namespace grym
