// CLAP checkpoints of the tests, read for their parts.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/content.h"
#include "checkpoint/tensor_set.h"
#include "models/clap/audio_net.h"
#include "models/clap/config.h"
#include "models/clap/mel_features.h"
#include "models/clap/text_net.h"
#include "runtime/torch_guard.h"
#include "runtime/weights.h"
#include "support/peer.h"

namespace grym::testing {

struct ClapParts {
  ClapConfig config;
  ClapFeatureConfig features;
  ClapTextNet text;
  ClapAudioNet audio;
  std::vector<std::string> unread;
};

inline Json JsonOf(const std::filesystem::path& path) {
  auto json = ReadJsonObject(path, kMostConfigBytes, "bad_config");
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json::Object();
}

inline absl::StatusOr<ClapParts> ReadClapParts(const std::filesystem::path& folder, Precision precision) {
  ClapParts parts;
  auto config = ParseClapConfig(JsonOf(folder / "config.json"), "config.json");
  if (!config.ok()) return config.status();
  parts.config = *config;
  auto features = ParseClapFeatureConfig(JsonOf(folder / "preprocessor_config.json"), "preprocessor_config.json");
  if (!features.ok()) return features.status();
  parts.features = *features;
  auto set = TensorSet::Open(folder);
  if (!set.ok()) return set.status();
  return TorchGuard("clap", [&]() -> absl::StatusOr<ClapParts> {
    WeightOptions options;
    options.precision = precision;
    WeightReader reader(*set, "clap", options);
    parts.text = ClapTextNet::Read(reader, parts.config.text);
    parts.audio = ClapAudioNet::Read(reader, parts.config.audio);
    if (!reader.status().ok()) return reader.status();
    parts.unread = reader.Unread();
    return parts;
  });
}

// Rows of a reference's ids without its padding.
inline std::vector<std::vector<int32_t>> RealTokens(const at::Tensor& ids, const at::Tensor& mask) {
  std::vector<std::vector<int32_t>> texts;
  for (int64_t row = 0; row < ids.size(0); ++row) {
    texts.emplace_back();
    for (int64_t i = 0; i < ids.size(1); ++i) {
      if (mask[row][i].item<int64_t>() != 0) texts.back().push_back(static_cast<int32_t>(ids[row][i].item<int64_t>()));
    }
  }
  return texts;
}

inline at::Tensor FeatureTensor(const ClapFeatures& features) {
  at::Tensor tensor = at::empty({1, features.channels, features.frames, features.bands}, at::kFloat);
  std::copy(features.values.begin(), features.values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}

inline at::Tensor UnitRows(const at::Tensor& x) { return x / at::linalg_vector_norm(x, 2, {1}, /*keepdim=*/true); }

}  // namespace grym::testing
