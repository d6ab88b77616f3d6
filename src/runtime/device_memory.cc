#include "runtime/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <map>
#include <mutex>

#ifdef GRYM_TORCH_CUDA_HEADERS
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace grym {
namespace {

// What all budgets on a device ask for. One allocator serves the process, so its limit is theirs together.
class DeviceLimits {
 public:
  // `change` may be negative. Answers the sum.
  int64_t Add(c10::DeviceIndex device, int64_t change) {
    std::lock_guard<std::mutex> lock(mutex_);
    return sums_[device] += change;
  }

 private:
  std::mutex mutex_;
  std::map<c10::DeviceIndex, int64_t> sums_;
};

DeviceLimits& Limits() {
  static DeviceLimits* const limits = new DeviceLimits;  // budgets may outlive every static
  return *limits;
}

// False: the device's allocator has no such limit, in this build or at all.
bool BoundAllocator(c10::Device device, int64_t bytes) {
#ifdef GRYM_TORCH_CUDA_HEADERS
  try {  // the device may be gone at the end of a process
    const auto [free, total] = c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
    const double fraction = static_cast<double>(bytes) / static_cast<double>(std::max<size_t>(total, 1));
    c10::cuda::CUDACachingAllocator::setMemoryFraction(std::clamp(fraction, 0.0, 1.0), device.index());
    return true;
  } catch (...) {
    return false;
  }
#else
  (void)device;
  (void)bytes;
  return false;
#endif
}

class GpuMemory final : public DeviceMemory {
 public:
  explicit GpuMemory(c10::Device device) : device_(device) {}
  ~GpuMemory() override {
    const int64_t left = Limits().Add(device_.index(), -limit_);
    if (left > 0) BoundAllocator(device_, left);  // else the last one's stays: what is cached was taken under it
  }
  int64_t allocated_bytes() const override { return Bytes().current; }
  int64_t peak_bytes() const override { return Bytes().peak; }
  void ResetPeak() override { c10::getDeviceAllocator(device_.type())->resetPeakStats(device_.index()); }
  void SetLimit(int64_t bytes) override {
    const int64_t sum = Limits().Add(device_.index(), bytes - limit_);
    limit_ = bytes;
    limits_ = BoundAllocator(device_, sum);
  }
  bool limits() const override { return limits_; }

 private:
  c10::CachingAllocator::Stat Bytes() const {
    const auto stats = c10::getDeviceAllocator(device_.type())->getDeviceStats(device_.index());
    return stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  }
  const c10::Device device_;
  int64_t limit_ = 0;
  bool limits_ = false;
};

}  // namespace

bool HasDeviceLimit() {
#ifdef GRYM_TORCH_CUDA_HEADERS
  return true;
#else
  return false;
#endif
}

std::unique_ptr<DeviceMemory> NewDeviceMemory(c10::Device device) {
  if (!device.is_cuda() || !at::globalContext().hasCUDA()) return nullptr;
  try {
    at::globalContext().lazyInitDevice(device.type());  // before it the device has no allocator
    auto memory = std::make_unique<GpuMemory>(device);
    memory->ResetPeak();
    return memory;
  } catch (...) {  // no driver, or one that this LibTorch is not for: what runs there says so
    return nullptr;
  }
}

}  // namespace grym
