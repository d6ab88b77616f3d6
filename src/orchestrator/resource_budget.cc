#include "orchestrator/resource_budget.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {

namespace {
constexpr double kLongestWait_s = 1e8;
}  // namespace

ResourceBudget::ResourceBudget(int64_t budget_bytes, int cores)
    : budget_bytes_(std::max<int64_t>(0, budget_bytes)),
      cores_(cores > 0 ? cores : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))) {
  counters_->devices["cpu"] = {"cpu", budget_bytes_, 0, cores_, 0};
}

absl::StatusOr<ResourceLease> ResourceBudget::Lease(const ResourceDemands& demands) {
  std::lock_guard<std::mutex> lock(counters_->mutex);
  return Grant(demands, false);
}

absl::StatusOr<ResourceLease> ResourceBudget::LeaseInTurn(const ResourceDemands& demands, const RunOptions& run,
                                                          double most_s) {
  using Clock = std::chrono::steady_clock;
  ProgressReporter waiting(run);
  // A clock's time would overflow beyond some 1e9 s; what is no number waits not at all.
  const std::chrono::duration<double> most(most_s > 0 ? std::min(most_s, kLongestWait_s) : 0);
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(most);
  std::unique_lock<std::mutex> lock(counters_->mutex);
  std::list<bool>& line = counters_->waiting[demands.device];
  const auto place = line.insert(line.end(), false);
  // Leaves the line also when a lease throws for want of memory, or the caller's progress throws. Takes no memory itself.
  struct Leave {
    Counters& counters;
    std::unique_lock<std::mutex>& lock;
    std::list<bool>& line;
    const std::list<bool>::iterator place;
    ~Leave() {
      if (!lock.owns_lock()) lock.lock();
      line.erase(place);
      counters.given_back.notify_all();
    }
  } const leave{*counters_, lock, line, place};
  while (true) {
    absl::StatusOr<ResourceLease> lease = absl::CancelledError();
    // Nobody waits for who is away: a callback may take its time, or ask for a lease itself.
    const bool first = std::find(line.begin(), place, false) == place;
    if (first) lease = Grant(demands, true);
    const absl::Status cancelled = run.cancel.Check();
    const bool over = !cancelled.ok() || Clock::now() >= end;
    if (!first && over) lease = Grant(demands, true);  // for its words, or by luck
    if (over || (first && (lease.ok() || ErrorCode(lease.status()) != "resource_busy"))) {
      if (cancelled.ok()) return lease;
      if (lease.ok()) {  // it came too late
        lock.unlock();
        lease->Release();
        lock.lock();
      }
      return cancelled;
    }
    *place = true;
    lock.unlock();
    waiting.Report(0, kWaitingForMemory);
    lock.lock();
    *place = false;
    // A token cannot wake anybody, so it is looked at now and then.
    counters_->given_back.wait_until(lock, std::min(end, Clock::now() + std::chrono::milliseconds(20)));
  }
}

absl::StatusOr<ResourceLease> ResourceBudget::Grant(const ResourceDemands& demands, bool share_cores) {
  const std::string who = Printable(demands.who, 64);
  if (demands.bytes < 0 || demands.cores < 0) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_demands",
        Formatted("%s: want bytes and cores of 0 or more, got %d and %d", who, demands.bytes, demands.cores));
  }
  const auto fresh = DeviceUse{demands.device, budget_bytes_, 0, cores_, 0};
  DeviceUse& use = counters_->devices.try_emplace(demands.device, fresh).first->second;
  const int64_t free_bytes = use.budget_bytes - use.used_bytes;
  const int free_cores = std::max(0, use.cores - use.used_cores);
  const int cores = share_cores ? std::min(demands.cores, free_cores) : demands.cores;
  if (demands.bytes > free_bytes || cores > free_cores) {
    const bool impossible = demands.bytes > use.budget_bytes || cores > use.cores;
    return Error(absl::StatusCode::kResourceExhausted, impossible ? "resource_impossible" : "resource_busy",
                 Formatted("%s on %s: want %d bytes and %d cores, free are %d of %d bytes and %d of %d cores",
                                 who, Printable(use.device, 64), demands.bytes, demands.cores, free_bytes,
                                 use.budget_bytes, free_cores, use.cores));
  }
  // Made first, as it needs memory: what is counted must also be given back.
  std::function<void()> give_back = [counters = counters_, device = demands.device, bytes = demands.bytes, cores] {
    std::lock_guard<std::mutex> back(counters->mutex);
    DeviceUse& held = counters->devices.at(device);
    held.used_bytes -= bytes;
    held.used_cores -= cores;
    counters->given_back.notify_all();
  };
  use.used_bytes += demands.bytes;
  use.used_cores += cores;
  return ResourceLease(std::move(give_back));
}

std::vector<DeviceUse> ResourceBudget::Use() const {
  std::lock_guard<std::mutex> lock(counters_->mutex);
  std::vector<DeviceUse> all;
  for (const auto& [name, use] : counters_->devices) all.push_back(use);
  return all;
}

}  // namespace grym
