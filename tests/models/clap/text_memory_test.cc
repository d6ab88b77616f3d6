#include <gtest/gtest.h>

#include "checkpoint/tensor_writer.h"
#include "clap_peer.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

// As the published text towers are: the wide layer four times the model's width. The tiny checkpoint's is twice.
ClapTextConfig WideConfig() {
  ClapTextConfig config;
  config.vocab_size = 40;
  config.hidden_size = 64;
  config.layers = 2;
  config.heads = 4;
  config.intermediate_size = 256;
  config.projection_dim = 32;
  return config;
}

void WriteTextTower(const ClapTextConfig& config, const std::filesystem::path& path) {
  at::Generator generator = SeededGenerator(1);
  std::vector<std::pair<std::string, at::Tensor>> made;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    made.emplace_back(name, Noise(shape, generator).mul_(0.05));
  };
  const auto layer = [&](const std::string& name, int64_t out, int64_t in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {config.hidden_size});
    add(name + ".bias", {config.hidden_size});
  };
  const int64_t dim = config.hidden_size, wide = config.intermediate_size;
  const std::string embeddings = "text_model.embeddings.";
  add(embeddings + "word_embeddings.weight", {config.vocab_size, dim});
  add(embeddings + "position_embeddings.weight", {config.max_position_embeddings, dim});
  add(embeddings + "token_type_embeddings.weight", {config.type_vocab_size, dim});
  norm(embeddings + "LayerNorm");
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string at = "text_model.encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"}) layer(at + "attention.self." + part, dim, dim);
    layer(at + "attention.output.dense", dim, dim);
    norm(at + "attention.output.LayerNorm");
    layer(at + "intermediate.dense", wide, dim);
    layer(at + "output.dense", dim, wide);
    norm(at + "output.LayerNorm");
  }
  layer("text_model.pooler.dense", dim, dim);
  layer("text_projection.linear1", config.projection_dim, dim);
  layer("text_projection.linear2", config.projection_dim, config.projection_dim);
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, tensor] : made) {
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes());
    tensors.push_back({name, ElementType::kF32, tensor.sizes().vec(),
                       [bytes](const TensorSink& sink) { return sink(bytes); }});
  }
  ASSERT_TRUE(WriteTensorFile(path, tensors, {}).ok());
}

// With one thread, whose products take least beside the rows.
TEST(ClapTextMemory, TakesWhatItTellsForTextsOfAnyLength) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Scratch scratch;
  const ClapTextConfig config = WideConfig();
  WriteTextTower(config, scratch / "model.safetensors");
  const TensorSet set = TensorSet::Open(scratch / "model.safetensors").value();
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8}) {
    WeightOptions options;
    options.precision = precision;
    const auto net = TorchGuard("clap", [&] { return ClapTextNet::Load(set, "clap/text", options, config); });
    ASSERT_TRUE(net.ok()) << net.status();
    for (const size_t tokens : {1, 20, 120, 260, 512}) {
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
      const BudgetScope scope(budget);
      const auto embedded = TorchGuard("clap", [&] { return (*net)->Encode({std::vector<int32_t>(tokens, 7)}); });
      ASSERT_TRUE(embedded.ok()) << embedded.status();
      const auto told = static_cast<double>(ClapTextNet::WorkingBytes(config, precision, options.device,
                                                                      static_cast<int64_t>(tokens)));
      const auto taken = static_cast<double>(budget->peak_bytes());
      EXPECT_LE(taken, told) << PrecisionName(precision) << ", " << tokens << " tokens";
      if (tokens >= 120) {
        EXPECT_LE(told, 1.1 * taken) << PrecisionName(precision) << ", " << tokens << " tokens";
      }
    }
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace grym::testing
