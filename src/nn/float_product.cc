#include "nn/float_product.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Below so many rows a product is bound by reading the weights.
constexpr int64_t kFewestRows = 16;

// oneDNN's product is an operator that LibTorch registers for its own compiler and has no header for. Called by name, as
// the convolutions of fused_conv.cc.
std::optional<c10::OperatorHandle> FindProduct() {
  return c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
}

bool IsFastWithOneDnn() {
#if defined(__x86_64__) && defined(__GNUC__)
  return !__builtin_cpu_is("intel") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

struct NamedActivation {
  const char* name;
  const char* algorithm;  // "" for none to choose from
};

NamedActivation NameOf(Activation activation) {
  switch (activation) {
    case Activation::kRelu: return {"relu", ""};
    case Activation::kSilu: return {"swish", ""};
    case Activation::kTanh: return {"tanh", ""};
    case Activation::kGeluTanh: return {"gelu", "tanh"};
    case Activation::kGelu: break;
  }
  return {"gelu", "none"};
}

at::Tensor Multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, NamedActivation after) {
  torch::jit::Stack stack{x.contiguous(), weight};
  for (c10::IValue value : {bias.defined() ? c10::IValue(bias) : c10::IValue(), c10::IValue(std::string(after.name)),
                            c10::IValue(c10::List<std::optional<at::Scalar>>()),
                            c10::IValue(std::string(after.algorithm))}) {
    stack.push_back(std::move(value));
  }
  FindProduct()->callBoxed(stack);
  return stack.front().toTensor();
}

}  // namespace

bool HasFloatProducts() {
  static const bool has = IsFastWithOneDnn() && FindProduct().has_value();
  return has && at::globalContext().hasMKLDNN() && at::globalContext().userEnabledMkldnn();
}

bool TakesFloatProduct(const at::Tensor& x, const at::Tensor& weight) {
  return x.dim() == 2 && x.size(0) >= kFewestRows && x.scalar_type() == at::kFloat && x.is_cpu() &&
         weight.scalar_type() == at::kFloat && weight.is_cpu() && weight.is_contiguous() && HasFloatProducts();
}

at::Tensor FloatProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return Multiply(x, weight, bias, {"none", ""});
}

at::Tensor FloatProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Activation activation) {
  return Multiply(x, weight, bias, NameOf(activation));
}

// Of each thread some weights in oneDNN's blocks, 32 or 64 results of 1,024 inputs at most, and its own notes: measured
// for 500 sizes in one and two threads.
int64_t FloatProductScratchBytes(int64_t in, int64_t rows) {
  if (rows < kFewestRows || !HasFloatProducts()) return 0;
  constexpr int64_t kMostInputs = 1024, kResults = 64, kNotes = 1152;
  const int64_t inputs = std::min((in + 15) / 16 * 16, kMostInputs);
  return AllocatedBytes(at::get_num_threads() * (inputs * kResults * 4 + kNotes) + kNotes);
}

}  // namespace grym
