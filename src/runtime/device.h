// Where a model runs and in which numbers: names as users write them, and what this machine is good for.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace grym {

// "cpu", "cuda", "cuda:N", "auto" (the first GPU, else the CPU). InvalidArgument (code "bad_device") for another name,
// FailedPrecondition (code "no_device") for a GPU that is not there.
absl::StatusOr<c10::Device> ParseDevice(std::string_view name);

// How the weights of a component are kept and multiplied.
enum class Precision {
  kFloat32,
  kBFloat16x3,  // kept in float32, multiplied by three products of bfloat16 (nn/bfloat_conv.h)
  kBFloat16,
  kFloat16,
  kInt8,  // weights alone, a scale for each row
  kInt4,  // weights alone, a scale for each group of a row
};
const char* PrecisionName(Precision precision);  // "float32", ...
absl::StatusOr<Precision> ParsePrecision(std::string_view name);  // InvalidArgument (code "bad_dtype") lists the names
// Whether this machine's CPU multiplies bfloat16: AVX-512 BF16, which those with AMX have as well.
bool HasBFloatUnits();
// Unimplemented (code "unsupported_dtype") for bfloat16x3 but on a CPU with those units: elsewhere float32 is faster.
absl::Status CheckPrecision(Precision precision, c10::Device device, bool has_bfloat_units = HasBFloatUnits());
int64_t BytesOf(Precision precision, int64_t elements);

// What the activations are computed in. On a CPU weights of the half types are kept in half, and sums and activations
// are float32, whatever units it has: LibTorch's operators in bfloat16 take memory that no plan tells (a third more of a
// small image's), and are hundreds of times slower where there are no units for it. Where there are, products round their
// inputs to bfloat16 (nn/bfloat_conv.h).
c10::ScalarType ComputeType(Precision precision, c10::Device device);
c10::ScalarType StorageType(Precision precision);

// Threads that the rooms' own loops (at::parallel_for) run on: at::get_num_threads(), or 1 in a build without OpenMP,
// in which LibTorch's headers make plain loops of them.
int LoopThreads();

}  // namespace grym
