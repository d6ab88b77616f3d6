// What the reference libraries make of the steps around the network, run once for each build folder.
#pragma once
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "checkpoint/tensor_set.h"
#include "support/peer.h"

namespace grym::testing {

class AroundPeer {
 public:
  // Requires GRYM_NEED_PEER.
  AroundPeer() {
    const std::filesystem::path folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer";
    std::filesystem::create_directories(folder);
    const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/musicgen/around_peer.py";
    // A file for each version of the script, made beside and renamed: importing the libraries takes most of a minute.
    const std::string file =
        (folder / ("musicgen-around-" + Sha256OfFile(script).value().substr(0, 12) + ".safetensors")).string();
    if (!std::filesystem::exists(file)) {
      const std::string part = file + "." + std::to_string(getpid());
      const std::string command =
          "'" + PeerPython() + "' '" + script + "' '" + part + "' >'" + part + ".log' 2>&1";
      EXPECT_EQ(std::system(command.c_str()), 0) << command;
      std::filesystem::rename(part, file);
      std::filesystem::remove(part + ".log");
    }
    auto opened = TensorSet::Open(file);
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) set_.emplace(*std::move(opened));
  }
  std::vector<int64_t> Shape(const std::string& name) const { return PeerTensor(*set_, name).sizes().vec(); }
  std::vector<float> Floats(const std::string& name) const {
    const at::Tensor tensor = PeerTensor(*set_, name);
    const auto* data = tensor.const_data_ptr<float>();
    return {data, data + tensor.numel()};
  }
  std::vector<int32_t> Ints(const std::string& name) const {
    const at::Tensor tensor = PeerTensor(*set_, name);
    const auto* data = tensor.const_data_ptr<int64_t>();
    return {data, data + tensor.numel()};
  }

 private:
  std::optional<TensorSet> set_;
};

}  // namespace grym::testing
