// Activations by the names that configs give them.
#pragma once
#include <string_view>

#include "runtime/tensor.h"

namespace grym {

enum class Activation { kGelu, kGeluTanh, kRelu, kSilu, kTanh };
// transformers' names: "gelu", "gelu_new" and "gelu_pytorch_tanh", "relu", "silu" and "swish", "tanh".
inline constexpr std::string_view kActivationNames[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu",
                                                        "silu", "swish",    "tanh"};
// Requires a name of the list.
Activation ActivationOf(std::string_view name);
at::Tensor Activate(Activation activation, const at::Tensor& x);
// The same, written over x: no pages of a second tensor are touched, which costs more than the arithmetic.
void ActivateInPlace(Activation activation, at::Tensor& x);

}  // namespace grym
