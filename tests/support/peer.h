// The reference library's run on a checkpoint with random weights, to compare ours with: made by the scripts in
// ../shared/fixtures with the Python of GRYM_PEER_PYTHON, once per build folder.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/tensor_set.h"
#include "runtime/tensor.h"
#include "support/shared_audio.h"

namespace grym::testing {

// "" when there is none.
std::string PeerPython();
// The folder of a checkpoint of this preset, made if it is not there. `variant` names what `options` make of it. Fails
// the test and answers "" when it cannot be made.
std::filesystem::path PeerCheckpoint(const std::string& preset, const std::string& variant = "",
                                     const std::vector<std::string>& options = {});
// What peer_run.py keeps for it, as a safetensors file named after `run`.
std::filesystem::path PeerRun(const std::filesystem::path& checkpoint, const std::string& run,
                              const std::vector<std::string>& options);

// A tensor of such a file; fails the test when it is not there.
at::Tensor PeerTensor(const TensorSet& set, const std::string& name);

// How far ours is from the reference's, both flattened.
struct Distance {
  double cosine = 0;              // of the angle between them
  double max_relative_error = 0;  // largest difference by largest magnitude of the reference
  double snr_db = 0;
};
Distance DistanceOf(const at::Tensor& ours, const at::Tensor& reference);

// cosine >= 0.99999 and max relative error <= 1e-3: a stage in float32, whose sums are taken in another order.
void ExpectSameStage(const std::string& stage, const at::Tensor& ours, const at::Tensor& reference);

}  // namespace grym::testing

#define GRYM_NEED_PEER()                                                                                          \
  if (grym::testing::PeerPython().empty()) {                                                                      \
    GTEST_SKIP() << "needs the reference libraries: set GRYM_PEER_PYTHON to a Python with torch, transformers and " \
                    "diffusers, beside "                                                                          \
                 << (grym::testing::SharedDir() / "fixtures").string();                                          \
  }
