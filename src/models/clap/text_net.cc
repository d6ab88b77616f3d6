#include "models/clap/text_net.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "nn/attention.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

constexpr char kWords[] = "text_model.embeddings.word_embeddings.weight";

// What layers are counted by: matrices, and all that is in the compute type.
struct TextSizes {
  Precision precision;
  int64_t compute;  // bytes of an element
  TextSizes(Precision kept, c10::Device device)
      : precision(kept), compute(static_cast<int64_t>(c10::elementSize(ComputeType(kept, device)))) {}
  int64_t Linear(int64_t in, int64_t out) const {
    return WeightMatrix::BytesKept(out, in, precision) + AllocatedBytes(out * compute);
  }
  int64_t Norm(int64_t dim) const { return 2 * AllocatedBytes(dim * compute); }
  int64_t Layer(const ClapTextConfig& config) const {
    const int64_t dim = config.hidden_size, wide = config.intermediate_size;
    return Linear(dim, 3 * dim) + Linear(dim, dim) + Linear(dim, wide) + Linear(wide, dim) + 2 * Norm(dim);
  }
};

}  // namespace

absl::StatusOr<ClapTokens> TokensOfText(const Tokenizer& tokenizer, const ClapTextConfig& config,
                                        std::string_view text_utf8) {
  ClapTokens tokens;
  GRYM_ASSIGN_OR_RETURN(tokens.ids, tokenizer.Encode(text_utf8));
  const auto most = static_cast<size_t>(config.most_tokens());
  if (tokens.ids.size() > most) {
    tokens.dropped = static_cast<int64_t>(tokens.ids.size() - most);
    tokens.ids[most - 1] = tokens.ids.back();
    tokens.ids.resize(most);
  }
  return tokens;
}

std::string CutWarning(const std::string& where, const ClapTokens& tokens) {
  if (tokens.dropped == 0) return "";
  return Formatted("%s: cut to %d tokens, %d were dropped", where, tokens.ids.size(), tokens.dropped);
}

absl::StatusOr<std::shared_ptr<const ClapTextNet>> ClapTextNet::Load(const TensorSet& set, const std::string& where,
                                                                     const WeightOptions& options,
                                                                     const ClapTextConfig& config) {
  WeightOptions beside = options;
  beside.precision = BesideMatrices(options.precision, options.device);
  WeightReader weights(set, where, options), tables(set, where, beside);
  auto net = std::make_shared<const ClapTextNet>(Read(weights, config, &tables));
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_RETURN_IF_ERROR(tables.status());
  return net;
}

absl::StatusOr<std::shared_ptr<const ClapTextNet>> ClapTextNet::LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                                             const std::string& where,
                                                                             const WeightOptions& options,
                                                                             const ClapTextConfig& config) {
  WeightReader weights(*set, where, options);
  auto net = std::make_shared<ClapTextNet>(ReadAround(weights, config));
  GRYM_RETURN_IF_ERROR(weights.status());
  const auto with = [precision = options.precision, device = options.device](const CancelToken& cancel) {
    return WeightOptions{precision, device, cancel, /*pinned=*/true};
  };
  net->streamed_ = std::make_shared<const StreamedLayers<Layer>>(
      config.layers, options.device,
      [set, where, with, config](int64_t index, const CancelToken& cancel) -> absl::StatusOr<Layer> {
        WeightReader reader(*set, where, with(cancel));
        Layer layer = ReadLayer(reader, config, index);
        GRYM_RETURN_IF_ERROR(reader.status());
        return layer;
      });
  net->gather_words_ = [set, where, with, config](const std::vector<int64_t>& ids) -> absl::StatusOr<at::Tensor> {
    WeightReader reader(*set, where, with({}));
    at::Tensor rows = reader.Gather(kWords, {config.vocab_size, config.hidden_size}, ids);
    GRYM_RETURN_IF_ERROR(reader.status());
    return rows;
  };
  return std::shared_ptr<const ClapTextNet>(std::move(net));
}

ClapTextNet ClapTextNet::ReadAround(WeightReader& weights, const ClapTextConfig& config) {
  ClapTextNet net;
  net.config_ = config;
  net.compute_ = weights.compute_type();
  net.device_ = weights.options().device;
  const int64_t dim = config.hidden_size;
  const std::string embeddings = "text_model.embeddings.";
  net.positions_ = weights.Vector(embeddings + "position_embeddings.weight", {config.max_position_embeddings, dim});
  const at::Tensor types = weights.Vector(embeddings + "token_type_embeddings.weight", {config.type_vocab_size, dim});
  // Every token is of type 0.
  if (net.positions_.defined() && types.defined()) net.positions_.add_(types.select(0, 0));
  net.norm_ = ReadLayerNorm(weights, embeddings + "LayerNorm", dim, config.layer_norm_eps);
  weights.Skip(embeddings + "position_ids");
  weights.Skip(embeddings + "token_type_ids");
  net.activation_ = ActivationOf(config.hidden_act);
  net.pooler_ = ReadLinear(weights, "text_model.pooler.dense", dim, dim);
  net.projection_ =
      ReadClapProjection(weights, "text_projection", dim, config.projection_dim, config.projection_act);
  return net;
}

ClapTextNet::Layer ClapTextNet::ReadLayer(WeightReader& weights, const ClapTextConfig& config, int64_t index) {
  const int64_t dim = config.hidden_size;
  const std::string at = Formatted("text_model.encoder.layer.%d.", index), self = at + "attention.self.";
  Layer layer;
  layer.query_key_value = ReadFusedLinear(weights, {self + "query", self + "key", self + "value"}, dim, dim);
  layer.attention_out = ReadLinear(weights, at + "attention.output.dense", dim, dim);
  layer.attention_norm = ReadLayerNorm(weights, at + "attention.output.LayerNorm", dim, config.layer_norm_eps);
  layer.up = ReadLinear(weights, at + "intermediate.dense", dim, config.intermediate_size);
  layer.down = ReadLinear(weights, at + "output.dense", config.intermediate_size, dim);
  layer.norm = ReadLayerNorm(weights, at + "output.LayerNorm", dim, config.layer_norm_eps);
  return layer;
}

ClapTextNet ClapTextNet::Read(WeightReader& weights, const ClapTextConfig& config, WeightReader* tables) {
  ClapTextNet net = ReadAround(weights, config);
  for (int64_t i = 0; i < config.layers; ++i) net.layers_.push_back(ReadLayer(weights, config, i));
  // Last, and large: whatever a matrix takes beside its codes while it is packed is below it.
  net.words_ = (tables ? tables : &weights)->Matrix(kWords, {config.vocab_size, config.hidden_size});
  return net;
}

absl::Status ClapTextNet::Check(const std::vector<std::vector<int32_t>>& ids) const {
  const auto bad = [](const char* code, const std::string& text) {
    return Error(absl::StatusCode::kInvalidArgument, code, "clap/text: " + text);
  };
  if (ids.empty()) return bad("no_tokens", "want a text, got none");
  for (const std::vector<int32_t>& text : ids) {
    if (text.empty()) return bad("no_tokens", "want tokens, got an empty text");
    if (static_cast<int64_t>(text.size()) > config_.most_tokens()) {
      return bad("too_many_tokens", Formatted("want at most %d tokens, got %d", config_.most_tokens(), text.size()));
    }
    for (const int32_t id : text) {
      if (id < 0 || id >= config_.vocab_size) {
        return bad("bad_token_id", Formatted("want token ids below %d (\"vocab_size\"), got %d: is the tokenizer that "
                                             "of another model?", config_.vocab_size, id));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> ClapTextNet::EmbedTokens(const std::vector<std::vector<int32_t>>& ids) const {
  std::vector<int64_t> tokens, places;
  for (const std::vector<int32_t>& text : ids) {
    int64_t place = config_.pad_token_id;
    for (const int32_t id : text) {
      const bool padding = id == config_.pad_token_id;  // may stand in a text by its name; counts for nothing
      tokens.push_back(id);
      places.push_back(padding ? config_.pad_token_id : ++place);
    }
  }
  const auto on_device = [&](std::vector<int64_t>& numbers) {
    return at::from_blob(numbers.data(), {static_cast<int64_t>(numbers.size())}, at::kLong).to(device_);
  };
  at::Tensor words;
  if (words_.defined()) {
    words = at::embedding(words_, on_device(tokens));
  } else {
    GRYM_ASSIGN_OR_RETURN(words, gather_words_(tokens));
  }
  words = words.to(compute_);
  return norm_(words + at::embedding(positions_, on_device(places)));
}

at::Tensor ClapTextNet::RunLayer(const Layer& layer, const at::Tensor& x, const std::vector<int64_t>& lengths) const {
  const int64_t dim = config_.hidden_size;
  at::Tensor mixed;
  {
    const at::Tensor all = layer.query_key_value(x).unsqueeze(0);
    std::vector<at::Tensor> texts;
    int64_t start = 0;
    for (const int64_t length : lengths) {
      const at::Tensor text = all.narrow(1, start, length);
      texts.push_back(Attention(text.narrow(2, 0, dim), text.narrow(2, dim, dim), text.narrow(2, 2 * dim, dim),
                                config_.heads));
      start += length;
    }
    mixed = (texts.size() == 1 ? texts.front() : at::cat(texts, 1)).squeeze(0);
  }
  mixed = layer.attention_norm(layer.attention_out(mixed).add_(x));
  at::Tensor wide = layer.up(mixed);
  ActivateInPlace(activation_, wide);
  wide = layer.down(wide).add_(mixed);
  return layer.norm(wide);
}

absl::StatusOr<at::Tensor> ClapTextNet::Encode(const std::vector<std::vector<int32_t>>& ids,
                                               const CancelToken& cancel) const {
  GRYM_RETURN_IF_ERROR(Check(ids));
  std::vector<int64_t> lengths;
  for (const std::vector<int32_t>& text : ids) lengths.push_back(static_cast<int64_t>(text.size()));
  GRYM_ASSIGN_OR_RETURN(at::Tensor x, EmbedTokens(ids));
  const auto run = [&](const Layer& layer) -> absl::Status {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    x = RunLayer(layer, x, lengths);
    return absl::OkStatus();
  };
  for (const Layer& layer : layers_) GRYM_RETURN_IF_ERROR(run(layer));
  if (streamed_) GRYM_RETURN_IF_ERROR(streamed_->ForEach([&] { return cancel.Check(); }, run));
  return x;
}

absl::StatusOr<at::Tensor> ClapTextNet::Embed(const std::vector<std::vector<int32_t>>& ids,
                                              const CancelToken& cancel) const {
  GRYM_ASSIGN_OR_RETURN(const at::Tensor hidden, Encode(ids, cancel));
  std::vector<int64_t> firsts;
  int64_t start = 0;
  for (const std::vector<int32_t>& text : ids) {
    firsts.push_back(start);
    start += static_cast<int64_t>(text.size());
  }
  const at::Tensor index =
      at::from_blob(firsts.data(), {static_cast<int64_t>(firsts.size())}, at::kLong).to(hidden.device());
  return Project(Pool(hidden.index_select(0, index)));
}

int64_t ClapTextNet::StreamedWeightBytes(const ClapTextConfig& config, Precision precision, c10::Device device) {
  const TextSizes sizes(precision, device);
  const int64_t dim = config.hidden_size, space = config.projection_dim;
  return AllocatedBytes(config.max_position_embeddings * dim * sizes.compute) + sizes.Norm(dim) +
         sizes.Linear(dim, dim) + sizes.Linear(dim, space) + sizes.Linear(space, space);
}

int64_t ClapTextNet::StreamedLayerBytes(const ClapTextConfig& config, Precision precision, c10::Device device) {
  return std::min<int64_t>(2, config.layers) * TextSizes(precision, device).Layer(config);
}

int64_t ClapTextNet::WeightBytes(const ClapTextConfig& config, Precision precision, c10::Device device) {
  const auto table = static_cast<int64_t>(c10::elementSize(StorageType(BesideMatrices(precision, device))));
  return StreamedWeightBytes(config, precision, device) +
         AllocatedBytes(config.vocab_size * config.hidden_size * table) +
         config.layers * TextSizes(precision, device).Layer(config);
}

int64_t ClapTextNet::WorkingBytes(const ClapTextConfig& config, Precision precision, c10::Device device,
                                  int64_t tokens) {
  // Weights of another type are brought to the compute type some rows at a time: while a product is taken, not later.
  const int64_t dim = config.hidden_size, wide = config.intermediate_size;
  const c10::ScalarType type = ComputeType(precision, device);
  const auto rows = [&](int64_t width) {
    return AllocatedBytes(tokens * width * static_cast<int64_t>(c10::elementSize(type)));
  };
  const auto scratch = [&](int64_t out, int64_t in) { return LinearScratchBytes(out, in, precision, device, tokens); };
  // The joined queries, keys and values beside the input and two copies of the mix, and what the attention keeps for
  // each thread; or, beside the layer's input and its attention's output, the wide layer.
  return std::max({4 * rows(dim) + scratch(3 * dim, dim),
                   6 * rows(dim) + AttentionScratchBytes(tokens, config.heads, dim / config.heads),
                   3 * rows(dim) + scratch(dim, dim), 2 * rows(dim) + rows(wide) + scratch(wide, dim),
                   3 * rows(dim) + rows(wide) + scratch(dim, wide)});
}

}  // namespace grym
