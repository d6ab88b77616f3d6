#include "models/musicgen/decoder.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "base/status.h"
#include "models/musicgen/conditioning.h"
#include "models/musicgen/row_loops.h"

namespace grym {
namespace {

// Rows that one thread takes at least: below that waking another costs more than it does.
constexpr int64_t kRowsOfAThread = 8;

template <class Element>
void AddTableRow(const Element* row, int64_t count, float* sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += static_cast<float>(row[i]);
}

void AddEmbedding(const at::Tensor& tables, int64_t book, int64_t code, float* sum) {
  const int64_t dim = tables.size(2), at = (book * tables.size(1) + code) * dim;
  switch (tables.scalar_type()) {
    case at::kHalf: return AddTableRow(tables.const_data_ptr<c10::Half>() + at, dim, sum);
    case at::kBFloat16: return AddTableRow(tables.const_data_ptr<c10::BFloat16>() + at, dim, sum);
    default: return AddRow(tables.const_data_ptr<float>() + at, dim, sum);
  }
}

}  // namespace

// Position p of row r lies in row r * steps + p of the tensors.
struct MusicgenDecoder::Batch {
  MusicgenRows rows;
  int64_t steps = 0;
  int64_t count() const { return rows.x.size(0); }
};

absl::StatusOr<MusicgenState> MusicgenDecoder::NewState(int64_t rows, int64_t most_steps,
                                                        const at::Tensor& conditioning,
                                                        std::span<const int64_t> lengths,
                                                        const CancelToken& cancel) const {
  GRYM_RETURN_IF_ERROR(CheckConditioning(config_, rows, most_steps, conditioning, lengths));
  const int64_t length = conditioning.defined() ? conditioning.size(1) : 0;
  State state(config_, storage_, rows, most_steps, length);
  if (length == 0) return state;
  const at::Tensor whole = conditioning.to(at::kFloat).contiguous();
  if (config_.melody) {
    GRYM_RETURN_IF_ERROR(FillPrefix(state, whole, lengths, cancel));
  } else {
    state.lengths_.assign(lengths.begin(), lengths.end());
    FillCross(state, whole);
  }
  return state;
}

// Keys and values of what is cross-attended, once for the whole run.
void MusicgenDecoder::FillCross(State& state, const at::Tensor& conditioning) const {
  const int64_t dim = config_.hidden, head_dim = config_.head_dim(), most = state.whole_.x.size(0);
  for (int64_t row = 0; row < state.rows_; ++row) {
    const int64_t length = state.lengths_[static_cast<size_t>(row)];
    state.any_conditioning_ = state.any_conditioning_ || length > 0;
    for (int64_t begin = 0; begin < length; begin += most) {
      const int64_t count = std::min(most, length - begin);
      const at::Tensor states = conditioning.select(0, row).narrow(0, begin, count);
      at::Tensor both = state.whole_.qkv.view({-1}).narrow(0, 0, count * 2 * dim).view({count, 2 * dim});
      for (int64_t layer = 0; layer < config_.layers; ++layer) {
        PackedLinear::ApplyAll(layers_[static_cast<size_t>(layer)].cross_kv, states, both);
        const float* const keys = both.const_data_ptr<float>();
        for (int64_t i = 0; i < count * config_.heads; ++i) {
          const int64_t step = i / config_.heads, head = i % config_.heads;
          const float* const key = keys + step * 2 * dim + head * head_dim;
          state.cross_.Write(layer, row, head, begin + step, key, key + dim);
        }
      }
    }
  }
}

absl::Status MusicgenDecoder::FillPrefix(State& state, const at::Tensor& conditioning,
                                         std::span<const int64_t> lengths, const CancelToken& cancel) const {
  const int64_t dim = config_.hidden, half = dim / 2, length = conditioning.size(1);
  const int64_t most = MusicgenStepsAtOnce(state.rows_);
  for (int64_t begin = 0; begin < length; begin += most) {
    const int64_t steps = std::min(most, length - begin);
    Batch batch{state.whole_.First(state.rows_ * steps), steps};
    float* x = batch.rows.x.mutable_data_ptr<float>();
    for (int64_t row = 0; row < state.rows_; ++row) {
      const float* const given = conditioning.const_data_ptr<float>() + (row * length + begin) * dim;
      const int64_t real = std::clamp<int64_t>(lengths[static_cast<size_t>(row)] - begin, 0, steps);
      std::copy_n(given, real * dim, x);
      std::fill_n(x + real * dim, (steps - real) * dim, 0.0f);
      for (int64_t step = 0; step < steps; ++step, x += dim) {
        AddPosition(frequencies_.const_data_ptr<float>(), half, begin + step, x);
      }
    }
    GRYM_RETURN_IF_ERROR(RunLayers(state, batch, cancel));
    state.position_ += steps;
  }
  return absl::OkStatus();
}

void MusicgenDecoder::Step(State& state, std::span<const int32_t> codes, float* logits) const {
  TORCH_CHECK(static_cast<int64_t>(codes.size()) == state.rows_ * config_.books, "want ", state.rows_ * config_.books,
              " codes, got ", codes.size());
  TORCH_CHECK(state.steps_left() >= 1, "want room for a step, got none after ", state.steps_done());
  Batch batch{state.step_, 1};
  EmbedCodes(state, batch, codes, 0, 1);
  RunLayers(state, batch, {}).IgnoreError();  // a step is whole: nothing but a cancellation ends it
  state.position_ += 1;
  Head(state, batch, logits);
}

absl::Status MusicgenDecoder::Prefill(State& state, std::span<const int32_t> codes, int64_t steps, float* logits,
                                      const CancelToken& cancel) const {
  TORCH_CHECK(steps >= 1 && static_cast<int64_t>(codes.size()) == state.rows_ * steps * config_.books, "want ",
              state.rows_, " rows of ", steps, " steps, got ", codes.size(), " codes");
  TORCH_CHECK(state.steps_left() >= steps, "want room for ", steps, " steps, got ", state.steps_left());
  const int64_t most = MusicgenStepsAtOnce(state.rows_);
  for (int64_t begin = 0; begin < steps; begin += most) {
    const int64_t count = std::min(most, steps - begin);
    Batch batch{state.whole_.First(state.rows_ * count), count};
    EmbedCodes(state, batch, codes, begin, steps);
    GRYM_RETURN_IF_ERROR(RunLayers(state, batch, cancel));
    state.position_ += count;
    if (begin + count == steps) Head(state, batch, logits);
  }
  return absl::OkStatus();
}

// codes [rows, of_steps, books], of which the batch's steps begin with `first`.
void MusicgenDecoder::EmbedCodes(const State& state, const Batch& batch, std::span<const int32_t> codes, int64_t first,
                                 int64_t of_steps) const {
  const int64_t dim = config_.hidden, books = config_.books;
  for (const int32_t code : codes) {
    TORCH_CHECK(code >= 0 && code <= config_.vocab_size, "want codes up to ", config_.vocab_size, ", got ", code);
  }
  float* const x = batch.rows.x.mutable_data_ptr<float>();
  std::fill_n(x, batch.count() * dim, 0.0f);
  at::parallel_for(0, batch.count(), kRowsOfAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / batch.steps, step = i % batch.steps;
      const int32_t* const given = codes.data() + (row * of_steps + first + step) * books;
      for (int64_t book = 0; book < books; ++book) AddEmbedding(embeddings_, book, given[book], x + i * dim);
      AddPosition(frequencies_.const_data_ptr<float>(), dim / 2, state.position_ + step, x + i * dim);
    }
  });
}

void MusicgenDecoder::AddAndNormRows(Batch& batch, const LayerNorm& norm, bool add) const {
  const int64_t dim = config_.hidden;
  float* const x = batch.rows.x.mutable_data_ptr<float>();
  float* const normed = batch.rows.normed.mutable_data_ptr<float>();
  const float* const added = add ? batch.rows.added.const_data_ptr<float>() : nullptr;
  const float* const weight = norm.weight.const_data_ptr<float>();
  const float* const bias = norm.bias.const_data_ptr<float>();
  at::parallel_for(0, batch.count(), kRowsOfAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      AddAndNorm(x + i * dim, added ? added + i * dim : nullptr, weight, bias, static_cast<float>(norm.epsilon), dim,
                 normed + i * dim);
    }
  });
}

// x of the batch through all layers; what the last one adds is left in `added`.
absl::Status MusicgenDecoder::RunLayers(State& state, Batch& batch, const CancelToken& cancel) const {
  MusicgenRows& rows = batch.rows;
  for (int64_t i = 0; i < config_.layers; ++i) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const MusicgenLayer& layer = layers_[static_cast<size_t>(i)];
    AddAndNormRows(batch, layer.self_norm, i > 0);
    PackedLinear::ApplyAll(layer.qkv, rows.normed, rows.qkv);
    SelfAttend(state, batch, i);
    layer.self_out.Apply(rows.mixed, rows.added);
    if (state.any_conditioning_) {
      AddAndNormRows(batch, layer.cross_norm, true);
      layer.cross_query.Apply(rows.normed, rows.added);
      CrossAttend(state, batch, i);
      layer.cross_out.Apply(rows.mixed, rows.added);
    }
    AddAndNormRows(batch, layer.wide_norm, true);
    layer.wide.Apply(rows.normed, rows.wide);
    float* const wide = rows.wide.mutable_data_ptr<float>();
    at::parallel_for(0, rows.wide.numel(), 4096, [&](int64_t begin, int64_t end) {
      ActivateRow(config_.activation, wide + begin, end - begin);
    });
    layer.narrow.Apply(rows.wide, rows.added);
  }
  return absl::OkStatus();
}

// Each head of each row keeps the new keys and values and attends from every step to those up to it.
void MusicgenDecoder::SelfAttend(State& state, Batch& batch, int64_t layer) const {
  const int64_t dim = config_.hidden, head_dim = config_.head_dim(), heads = config_.heads, steps = batch.steps;
  const float* const qkv = batch.rows.qkv.const_data_ptr<float>();
  float* const mixed = batch.rows.mixed.mutable_data_ptr<float>();
  at::parallel_for(0, state.rows_ * heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / heads, head = i % heads;
      for (int64_t step = 0; step < steps; ++step) {
        const float* const query = qkv + (row * steps + step) * 3 * dim + head * head_dim;
        const int64_t position = state.position_ + step;
        state.self_.Write(layer, row, head, position, query + dim, query + 2 * dim);
        state.self_.Attend(layer, row, head, position + 1, query, mixed + (row * steps + step) * dim + head * head_dim);
      }
    }
  });
}

// Queries stand in `added`. A row without conditioning gets zeros: its values in the reference are zeros, all of them.
void MusicgenDecoder::CrossAttend(State& state, Batch& batch, int64_t layer) const {
  const int64_t dim = config_.hidden, head_dim = config_.head_dim(), heads = config_.heads, steps = batch.steps;
  const float* const queries = batch.rows.added.const_data_ptr<float>();
  float* const mixed = batch.rows.mixed.mutable_data_ptr<float>();
  at::parallel_for(0, state.rows_ * heads, kRowsOfAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / heads, head = i % heads, count = state.lengths_[static_cast<size_t>(row)];
      for (int64_t step = 0; step < steps; ++step) {
        const int64_t at = (row * steps + step) * dim + head * head_dim;
        if (count == 0) {
          std::fill_n(mixed + at, head_dim, 0.0f);
        } else {
          state.cross_.Attend(layer, row, head, count, queries + at, mixed + at);
        }
      }
    }
  });
}

// Of each row's last step.
void MusicgenDecoder::Head(State& state, const Batch& batch, float* logits) const {
  const int64_t dim = config_.hidden;
  float* const x = batch.rows.x.mutable_data_ptr<float>();
  float* const added = batch.rows.added.mutable_data_ptr<float>();
  float* const normed = state.step_.normed.mutable_data_ptr<float>();
  for (int64_t row = 0; row < state.rows_; ++row) {
    const int64_t last = (row * batch.steps + batch.steps - 1) * dim;
    AddAndNorm(x + last, added + last, norm_.weight.const_data_ptr<float>(), norm_.bias.const_data_ptr<float>(),
               static_cast<float>(norm_.epsilon), dim, normed + row * dim);
  }
  heads_.Apply(state.step_.normed, state.logits_);
  std::copy_n(state.logits_.const_data_ptr<float>(), state.logits_.numel(), logits);
}

}  // namespace grym
