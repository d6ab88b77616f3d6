#include "runtime/device.h"

#include <atomic>

#include "base/status.h"

namespace grym {
namespace {

constexpr struct {
  Precision precision;
  const char* name;
} kPrecisions[] = {{Precision::kFloat32, "float32"},
                   {Precision::kBFloat16x3, "bfloat16x3"},
                   {Precision::kBFloat16, "bfloat16"},
                   {Precision::kFloat16, "float16"},
                   {Precision::kInt8, "int8"},
                   {Precision::kInt4, "int4"}};

}  // namespace

absl::StatusOr<c10::Device> ParseDevice(std::string_view name) {
  if (name == "cpu") return c10::Device(c10::DeviceType::CPU);
  const bool any = name == "auto";
  int index = 0;
  bool valid = any || name == "cuda";
  if (name.substr(0, 5) == "cuda:" && name.size() > 5 && name.size() < 8) {
    valid = true;
    for (const char digit : name.substr(5)) {
      valid = valid && digit >= '0' && digit <= '9';
      index = index * 10 + (digit - '0');
    }
  }
  if (!valid) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_device",
                 "device: want auto, cpu, cuda or cuda:N, got \"" + Printable(name) + "\"");
  }
  const bool there = at::globalContext().hasCUDA() && index < at::globalContext().getAcceleratorHooksInterface()
                                                                  .deviceCount();
  if (there) return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
  if (any) return c10::Device(c10::DeviceType::CPU);
  return Error(absl::StatusCode::kFailedPrecondition, "no_device",
               "device: want " + std::string(name) + ", and this LibTorch sees no such GPU (\"auto\" takes the CPU then)");
}

const char* PrecisionName(Precision precision) {
  for (const auto& known : kPrecisions) {
    if (known.precision == precision) return known.name;
  }
  return "";
}

absl::StatusOr<Precision> ParsePrecision(std::string_view name) {
  for (const auto& known : kPrecisions) {
    if (name == known.name) return known.precision;
  }
  return Error(absl::StatusCode::kInvalidArgument, "bad_dtype",
               "dtype: want float32, bfloat16x3, bfloat16, float16, int8 or int4, got \"" + Printable(name) + "\"");
}

bool HasBFloatUnits() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

absl::Status CheckPrecision(Precision precision, c10::Device device, bool has_bfloat_units) {
  if (precision != Precision::kBFloat16x3 || (device.is_cpu() && has_bfloat_units)) return absl::OkStatus();
  return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
               "dtype: want float32, or bfloat16x3 on a CPU with AVX-512 BF16 or AMX, got bfloat16x3 on " +
                   (device.is_cpu() ? std::string("a CPU without") : device.str()));
}

int64_t BytesOf(Precision precision, int64_t elements) {
  switch (precision) {
    case Precision::kFloat32:
    case Precision::kBFloat16x3: return elements * 4;
    case Precision::kBFloat16:
    case Precision::kFloat16: return elements * 2;
    case Precision::kInt8: return elements;
    case Precision::kInt4: return (elements + 1) / 2;
  }
  return 0;
}

c10::ScalarType StorageType(Precision precision) {
  switch (precision) {
    case Precision::kBFloat16: return c10::ScalarType::BFloat16;
    case Precision::kFloat16: return c10::ScalarType::Half;
    default: return c10::ScalarType::Float;
  }
}

c10::ScalarType ComputeType(Precision precision, c10::Device device) {
  return device.is_cuda() ? StorageType(precision) : c10::ScalarType::Float;
}

int LoopThreads() {
  std::atomic<int> ran{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) { ++ran; });
  return ran;
}

}  // namespace grym
