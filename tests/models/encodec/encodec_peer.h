// Small EnCodecs of every kind beside transformers', for the tests of this folder.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/config_reader.h"
#include "checkpoint/tensor_set.h"
#include "models/encodec/decoder.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym::testing {

inline EncodecConfig EncodecConfigIn(const std::filesystem::path& folder, const std::string& part = "") {
  const Json json = ReadConfig(folder / "config.json").value();
  return EncodecConfig::Parse(part.empty() ? json : json.at(part), "config.json").value();
}

inline std::shared_ptr<const EncodecDecoder> OpenedDecoder(const std::filesystem::path& folder,
                                                           const std::string& part = "") {
  const TensorSet set = TensorSet::Open(folder).value();
  return TorchGuard("encodec", [&] {
    return EncodecDecoder::Load(set, EncodecConfigIn(folder, part), {}, part.empty() ? "" : part + ".");
  }).value();
}

// As kinds_peer.py names them.
inline const std::vector<std::string>& EncodecKinds() {
  static const std::vector<std::string> kinds = {"mono",   "causal",    "stereo", "odd",
                                                 "deeper", "constant", "replicate", "old-names"};
  return kinds;
}

// The folder of one of them, made once.
inline std::filesystem::path EncodecKindFolder(const std::string& kind) {
  const std::filesystem::path folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "encodec-kinds";
  static const int made = [&] {
    if (std::filesystem::exists(folder / EncodecKinds().back() / "run" / "run.safetensors")) return 0;
    const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/encodec/kinds_peer.py";
    return std::system(("mkdir -p '" + folder.string() + "' && '" + PeerPython() + "' '" + script + "' '" +
                        folder.string() + "' >'" + folder.string() + ".log' 2>&1").c_str());
  }();
  EXPECT_EQ(made, 0) << "see " << folder << ".log";
  return folder / kind;
}

inline at::Tensor RandomCodes(const EncodecConfig& config, int64_t frames) {
  std::vector<int64_t> values(static_cast<size_t>(config.books() * frames));
  uint64_t state = 12345;
  for (int64_t& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(config.codebook_size));
  }
  return at::from_blob(values.data(), {config.books(), frames}, at::kLong).clone();
}

}  // namespace grym::testing
