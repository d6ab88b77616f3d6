// Convolutions and matrix products on CPUs' units for bfloat16, of weights in bfloat16 or in float32.
#pragma once
#include <array>
#include <cstdint>
#include <functional>

#include "runtime/device.h"
#include "runtime/tensor.h"

namespace grym {

struct ConvSteps {  // downwards and along
  std::array<int64_t, 2> padding = {0, 0}, stride = {1, 1}, dilation = {1, 1};
};

// Of channels-last images x [images, height, width, in], float32, and weights [out, kernel, kernel, in], bfloat16 or
// float32, both contiguous, to y [images, out_height, out_width, out], float32. A product of rows is one of an image
// one row high.
struct ConvShape {
  int64_t images = 1, height = 1, width = 1, in = 0, out = 0;
  std::array<int64_t, 2> kernel = {1, 1};
  ConvSteps steps;
  bool empty() const { return images < 1 || in < 1 || out < 1 || out_size(0) < 1 || out_size(1) < 1; }
  int64_t out_size(size_t side) const {  // 0 where the kernel reaches beyond the padded image
    const int64_t size = side == 0 ? height : width;
    const int64_t beyond = size + 2 * steps.padding[side] - steps.dilation[side] * (kernel[side] - 1) - 1;
    return beyond < 0 ? 0 : beyond / steps.stride[side] + 1;
  }
};

// Rows [rows, in] -> [rows, out].
ConvShape RowsShape(int64_t rows, int64_t in, int64_t out);

// y = after(conv(x) + bias): `add` to what is in y, then a leaky ReLU of `slope`, of which 1 is none.
struct BFloatAfter {
  bool add = false;
  double slope = 1;
};

// Whether weights of this precision go by these products here: bfloat16 and bfloat16x3 on a CPU with AVX-512 BF16.
// Inputs are rounded to bfloat16 for the product; sums and all that lies between two products stay float32: twice the
// speed of float32, and nearer to its results than activations in bfloat16 come. LibTorch's own operators for it take
// memory that no plan tells, and round what they answer. The instruction takes what is below the smallest normal number
// for zero.
// Weights in float32 (bfloat16x3) are split as they are read, and so are the inputs, each number into its bfloat16 and
// that of the rest; three of the four products are summed: high high + high low + low high. That loses 2^-15 of a
// product at most, 5e-6 of a sum of many (bfloat16 2e-3, float32 3e-7), and the rest of numbers below 2^-118. Where the
// input or the weight is infinite the result may be no number instead. It pays where bfloat16 has more than three times
// float32's speed, which is with AMX. Source: Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
// Intelligence Datatype For Higher-Precision Computations", 2019, section 3.
bool UsesBFloatProducts(Precision precision, c10::Device device);
bool HasBFloatProducts();  // this machine's CPU

// Weights in bfloat16, contiguous, [out, in] or [out, in, height, width] channels-last, laid in the order in which the
// products read them, in place: else each call lays them out, which with few positions takes a twentieth of its time,
// and more with AMX. What comes back is the same memory, of the same shape, and int16, so that nothing else takes it for
// numbers; or `weight` itself where that cannot be: it is not bfloat16 on a CPU with units for it, or `out` is no
// multiple of 32, or `in` is odd. For who has just read them and shares them with nobody.
at::Tensor InPanels(at::Tensor weight);
bool FitsPanels(int64_t out, int64_t in, Precision precision);

// The same bits for a position whatever stands beside it, and for any number of threads. The kernel and its steps may
// have any size. Weights may be in panels.
void ConvolveBFloat(const ConvShape& shape, const float* x, const at::Tensor& weight, const float* bias,
                    const BFloatAfter& after, float* y);
// The same of LibTorch's images: x [images, in, height, width] and weight [out, in, height, width], both channels-last
// in memory, and a result like that, made where `y` is undefined; `bias` is contiguous or undefined. Throws, as
// LibTorch does, where the kernel reaches beyond the padded image.
void ConvolveBFloat(const ConvSteps& steps, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const BFloatAfter& after, at::Tensor& y);
// Whether that can be done of a layer of this precision: weights for it, and inputs as they must be.
bool TakesBFloatProducts(Precision precision, const at::Tensor& weight, const at::Tensor& x);
// What a call takes beside its arguments, to the byte: some positions' inputs, rounded or split, and for each thread
// the weights of some outputs in the order in which they are read, if they do not lie so. Of int8 and int4: coded
// matrices.
int64_t BFloatScratchBytes(const ConvShape& shape, Precision precision, bool in_panels = false);

// A matrix that is kept in codes, for products with rows of float32.
struct CodedMatrix {
  // Writes rows [first, first + count), bfloat16 [count, in], from whichever thread wants them.
  std::function<void(int64_t first, int64_t count, uint16_t* rows)> decode;
  const float* scales = nullptr;  // [out] that the rows' products are multiplied with: codes of int8 are exact then
};
void MultiplyBFloat(const ConvShape& rows, const float* x, const CodedMatrix& matrix, const float* bias, float* y);
void RoundToBFloat(const float* from, int64_t count, uint16_t* to);

}  // namespace grym
