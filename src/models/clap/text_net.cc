#include "models/clap/text_net.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "nn/attention.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {

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

ClapTextNet ClapTextNet::Read(WeightReader& weights, const ClapTextConfig& config, WeightReader* tables) {
  ClapTextNet net;
  net.config_ = config;
  net.compute_ = weights.compute_type();
  const int64_t dim = config.hidden_size;
  const std::string embeddings = "text_model.embeddings.";
  net.positions_ = weights.Vector(embeddings + "position_embeddings.weight", {config.max_position_embeddings, dim});
  const at::Tensor types = weights.Vector(embeddings + "token_type_embeddings.weight", {config.type_vocab_size, dim});
  // Every token is of type 0.
  if (net.positions_.defined() && types.defined()) net.positions_.add_(types.select(0, 0));
  net.norm_ = ReadLayerNorm(weights, embeddings + "LayerNorm", dim, config.layer_norm_eps);
  weights.Skip(embeddings + "position_ids");
  weights.Skip(embeddings + "token_type_ids");
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string at = Formatted("text_model.encoder.layer.%d.", i), self = at + "attention.self.";
    Layer layer;
    layer.query_key_value = ReadFusedLinear(weights, {self + "query", self + "key", self + "value"}, dim, dim);
    layer.attention_out = ReadLinear(weights, at + "attention.output.dense", dim, dim);
    layer.attention_norm = ReadLayerNorm(weights, at + "attention.output.LayerNorm", dim, config.layer_norm_eps);
    layer.up = ReadLinear(weights, at + "intermediate.dense", dim, config.intermediate_size);
    layer.down = ReadLinear(weights, at + "output.dense", config.intermediate_size, dim);
    layer.norm = ReadLayerNorm(weights, at + "output.LayerNorm", dim, config.layer_norm_eps);
    net.layers_.push_back(std::move(layer));
  }
  net.activation_ = ActivationOf(config.hidden_act);
  net.pooler_ = ReadLinear(weights, "text_model.pooler.dense", dim, dim);
  net.projection_ =
      ReadClapProjection(weights, "text_projection", dim, config.projection_dim, config.projection_act);
  // Last, and large: whatever a matrix takes beside its codes while it is packed is below it.
  net.words_ = (tables ? tables : &weights)
                   ->Matrix(embeddings + "word_embeddings.weight", {config.vocab_size, dim});
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

at::Tensor ClapTextNet::EmbedTokens(const std::vector<std::vector<int32_t>>& ids) const {
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
    return at::from_blob(numbers.data(), {static_cast<int64_t>(numbers.size())}, at::kLong).to(words_.device());
  };
  const at::Tensor words = at::embedding(words_, on_device(tokens)).to(compute_);
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
  wide = Activate(activation_, wide);
  return layer.norm(layer.down(wide).add_(mixed));
}

absl::StatusOr<at::Tensor> ClapTextNet::Encode(const std::vector<std::vector<int32_t>>& ids,
                                               const CancelToken& cancel) const {
  GRYM_RETURN_IF_ERROR(Check(ids));
  std::vector<int64_t> lengths;
  for (const std::vector<int32_t>& text : ids) lengths.push_back(static_cast<int64_t>(text.size()));
  at::Tensor x = EmbedTokens(ids);
  for (const Layer& layer : layers_) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    x = RunLayer(layer, x, lengths);
  }
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

int64_t ClapTextNet::WeightBytes(const ClapTextConfig& config, Precision precision, c10::Device device) {
  const auto size = [](c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t compute = size(ComputeType(precision, device));
  const int64_t table = size(StorageType(BesideMatrices(precision, device)));
  const auto linear = [&](int64_t in, int64_t out) {
    return WeightMatrix::BytesKept(out, in, precision) + AllocatedBytes(out * compute);
  };
  const int64_t dim = config.hidden_size, wide = config.intermediate_size, space = config.projection_dim;
  const int64_t norm = 2 * AllocatedBytes(dim * compute);
  const int64_t layer = linear(dim, 3 * dim) + linear(dim, dim) + linear(dim, wide) + linear(wide, dim) + 2 * norm;
  return AllocatedBytes(config.vocab_size * dim * table) +
         AllocatedBytes(config.max_position_embeddings * dim * compute) + norm + config.layers * layer +
         linear(dim, dim) + linear(dim, space) + linear(space, space);
}

int64_t ClapTextNet::WorkingBytes(const ClapTextConfig& config, Precision precision, c10::Device device,
                                  int64_t tokens) {
  // The wide layer before and after its activation beside the layer's input and its attention's output; or the joined
  // queries, keys and values beside the input and two copies of the mix, and what the attention keeps for each thread.
  // Weights of another type are brought to the compute type some rows at a time.
  const int64_t dim = config.hidden_size, wide = config.intermediate_size;
  const c10::ScalarType type = ComputeType(precision, device);
  const auto rows = [&](int64_t width) {
    return AllocatedBytes(tokens * width * static_cast<int64_t>(c10::elementSize(type)));
  };
  const int64_t attention = 6 * rows(dim) + AttentionScratchBytes(tokens, config.heads, dim / config.heads);
  const int64_t most = std::max(2 * rows(dim) + 2 * rows(wide), attention);
  return most + std::max({LinearScratchBytes(3 * dim, dim, precision, device, tokens),
                          LinearScratchBytes(wide, dim, precision, device, tokens),
                          LinearScratchBytes(dim, wide, precision, device, tokens)});
}

}  // namespace grym
