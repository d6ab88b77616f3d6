// Weights as loaders keep them, by name: what a packed copy of a model is written from (runtime/packed_copy.h).
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/tensor.h"

namespace grym {

// Belongs to one thread. Tensors are shared with whoever loaded them.
class KeptWeights {
 public:
  struct Kept {
    std::string name;
    at::Tensor tensor;
  };
  // Stands for the checkpoint's tensors `replaced`, all by their full names. `tensor` is contiguous, on the CPU.
  void Put(std::string name, at::Tensor tensor, const std::vector<std::string>& replaced) {
    tensors_.push_back({std::move(name), std::move(tensor)});
    replaced_.insert(replaced.begin(), replaced.end());
  }
  const std::vector<Kept>& tensors() const { return tensors_; }
  bool Replaces(const std::string& name) const { return replaced_.count(name) > 0; }

 private:
  std::vector<Kept> tensors_;
  std::set<std::string> replaced_;
};

// What several layers that are kept as one matrix are called: {"self.q", "self.k"} are "self.q+k".
inline std::string JoinedName(const std::vector<std::string>& layers) {
  std::string name = layers.front();
  for (size_t i = 1; i < layers.size(); ++i) {
    const size_t dot = layers[i].rfind('.');
    name += "+" + layers[i].substr(dot == std::string::npos ? 0 : dot + 1);
  }
  return name;
}

}  // namespace grym
