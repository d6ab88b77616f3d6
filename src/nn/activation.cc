#include "nn/activation.h"

namespace grym {

Activation ActivationOf(std::string_view name) {
  if (name == "relu") return Activation::kRelu;
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "tanh") return Activation::kTanh;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  return Activation::kGelu;
}

at::Tensor Activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kRelu: return at::relu(x);
    case Activation::kSilu: return at::silu(x);
    case Activation::kTanh: return at::tanh(x);
    case Activation::kGeluTanh: return at::gelu(x, "tanh");
    case Activation::kGelu: break;
  }
  return at::gelu(x);
}

void ActivateInPlace(Activation activation, at::Tensor& x) {
  switch (activation) {
    case Activation::kGelu: at::gelu_(x); break;
    case Activation::kGeluTanh: at::gelu_(x, "tanh"); break;
    case Activation::kRelu: at::relu_(x); break;
    case Activation::kSilu: at::silu_(x); break;
    case Activation::kTanh: at::tanh_(x); break;
  }
}

}  // namespace grym
