// Bytes and cores per device, and the leases that hold them.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {

// Threads: any. A lease keeps the counters alive, so it may be given back after the budget is gone.
class ResourceBudget {
 public:
  ResourceBudget(int64_t budget_bytes, int cores);

  // ResourceExhausted with what was wanted, what is free and what there is: code "resource_impossible" for more than
  // the device has, "resource_busy" for more than is free now. InvalidArgument for negative demands. A device that was
  // not heard of before has the same budget as every other.
  absl::StatusOr<ResourceLease> Lease(const ResourceDemands& demands);
  // The bytes, and as many of the cores as are free: work that finds no core shares. Bytes that others hold are waited
  // for, first come, first served, at most `most_s` seconds: then "resource_busy". Progress is told "waiting for memory"
  // meanwhile. Cancelled within 20 ms.
  absl::StatusOr<ResourceLease> LeaseInTurn(const ResourceDemands& demands, const RunOptions& run, double most_s);
  std::vector<DeviceUse> Use() const;  // by name; "cpu" is always there
  int64_t budget_bytes() const { return budget_bytes_; }

 private:
  struct Counters {
    std::mutex mutex;
    std::condition_variable given_back;
    std::map<std::string, DeviceUse> devices;
    // By device, of those who wait, in turn: whether one is away, telling its caller so.
    std::map<std::string, std::list<bool>> waiting;
  };
  // With the lock held.
  absl::StatusOr<ResourceLease> Grant(const ResourceDemands& demands, bool share_cores);
  const int64_t budget_bytes_;
  const int cores_;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
};

}  // namespace grym
