#include "runtime/memory_budget.h"

#include <algorithm>
#include <chrono>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "runtime/host_scope.h"

namespace grym {

// Guarded by the budget's lock.
struct LeaseState {
  std::string who;
  int64_t bytes = 0;
  int64_t used = 0, peak = 0;
  bool open = false;
};

namespace {

using LeaseClock = std::chrono::steady_clock;
// A token cannot wake anybody, so it is looked at now and then.
constexpr std::chrono::milliseconds kLookAgain(20);

constexpr double kMebibyte = 1 << 20;

// Of `bytes` more than a lease has in use, how many it does not cover: a run that its plan counted too low for takes
// what is free, as one without a lease does. It is promised nothing of it and never waits for it.
int64_t OutsideOf(const LeaseState* lease, int64_t bytes) {
  if (!lease || !lease->open) return bytes;
  return std::max<int64_t>(0, lease->used + bytes - lease->bytes) - std::max<int64_t>(0, lease->used - lease->bytes);
}

// Whether this thread is inside a run that holds a lease of `budget`, be it in a callback of it. With the budget's lock
// held.
bool WorksUnderLeaseOf(const MemoryBudget* budget) {
  const auto holds = [budget](const MemoryAccount& account) {
    return account.budget.get() == budget && account.lease && account.lease->open;
  };
  if (holds(BudgetScope::Current())) return true;
  for (const HostScope* scope = HostScope::Innermost(); scope; scope = scope->outer()) {
    if (holds(scope->around())) return true;
  }
  return false;
}

}  // namespace

MemoryBudget::MemoryBudget(int64_t limit_bytes, std::string device, std::unique_ptr<DeviceMemory> memory)
    : device_(std::move(device)), memory_(std::move(memory)), limit_bytes_(limit_bytes) {
  if (memory_) memory_->SetLimit(limit_bytes);
}

int64_t MemoryBudget::limit_bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return limit_bytes_;
}

int64_t MemoryBudget::used_bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return memory_ ? memory_->allocated_bytes() : used_bytes_;
}

int64_t MemoryBudget::peak_bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return memory_ ? memory_->peak_bytes() : peak_bytes_;
}

void MemoryBudget::ResetPeak() {
  std::lock_guard<std::mutex> lock(mutex_);
  peak_bytes_ = used_bytes_;
  if (memory_) memory_->ResetPeak();
}

void MemoryBudget::SetLimit(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  limit_bytes_ = bytes;
  if (memory_) memory_->SetLimit(bytes);
  changed_.notify_all();
}

int64_t MemoryBudget::free_bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return FreeBytes();
}

const char* MemoryBudget::enforced_by() const {
  if (memory_) return memory_->limits() ? "device allocator" : "not counted";
  return counts_cpu() ? "allocator" : "not counted";
}

int64_t MemoryBudget::FreeBytes() const {
  // While no run is under way a device knows exactly what outlives runs.
  const int64_t outside = memory_ && open_.empty() ? memory_->allocated_bytes() : outside_bytes_;
  return limit_bytes_ - promised_bytes_ - outside;
}

bool MemoryBudget::Take(LeaseState* lease, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t outside = OutsideOf(lease, bytes);
  if (outside > 0 && outside > FreeBytes()) return false;
  outside_bytes_ += outside;
  if (lease) lease->used += bytes;
  if (lease) lease->peak = std::max(lease->peak, lease->used);
  used_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  return true;
}

void MemoryBudget::GiveBack(LeaseState* lease, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (lease) lease->used -= bytes;
  used_bytes_ -= bytes;
  const int64_t outside = OutsideOf(lease, bytes);
  outside_bytes_ -= outside;
  if (outside > 0) changed_.notify_all();
}

std::string MemoryBudget::LeftText(const LeaseState* lease) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t own = lease && lease->open ? std::max<int64_t>(0, lease->bytes - lease->used) : 0;
  return Formatted("%d of %d", own + std::max<int64_t>(0, FreeBytes()), limit_bytes_);
}

void MemoryBudget::AddReclaimer(const void* owner, std::string name, IdleWeights idle) {
  std::lock_guard<std::mutex> lock(reclaimers_mutex_);
  reclaimers_.push_back({owner, std::move(name), std::move(idle)});
}

void MemoryBudget::RemoveReclaimer(const void* owner) {
  std::lock_guard<std::mutex> lock(reclaimers_mutex_);
  reclaimers_.remove_if([owner](const Reclaimer& reclaimer) { return reclaimer.owner == owner; });
}

void MemoryBudget::LetGo(Reclaimer& reclaimer, std::vector<std::string>& evicted) {
  const int64_t bytes = reclaimer.idle(true);
  if (bytes == 0) return;
  evicted.push_back(Formatted("evicted idle model %s: %.1f MiB", reclaimer.name, static_cast<double>(bytes) / kMebibyte));
  if (!memory_) return;
  std::lock_guard<std::mutex> lock(mutex_);
  outside_bytes_ = std::max<int64_t>(0, outside_bytes_ - bytes);
}

bool MemoryBudget::EvictFor(LeaseState& lease, const void* owner, std::vector<std::string>& evicted) {
  // Under the lock, so that nobody is destroyed while it is asked; none of them asks back.
  std::lock_guard<std::mutex> lock(reclaimers_mutex_);
  int64_t idle = 0;
  for (const Reclaimer& reclaimer : reclaimers_) idle += reclaimer.idle(false);
  if (idle == 0 || lease.bytes > free_bytes() + idle) return false;
  for (const bool own : {true, false}) {
    for (Reclaimer& reclaimer : reclaimers_) {
      if ((reclaimer.owner == owner) != own) continue;
      LetGo(reclaimer, evicted);
      if (Grant(lease)) return true;
    }
  }
  return false;
}

int64_t MemoryBudget::IdleBytes() const {
  std::lock_guard<std::mutex> lock(reclaimers_mutex_);
  int64_t idle = 0;
  for (const Reclaimer& reclaimer : reclaimers_) idle += reclaimer.idle(false);
  return idle;
}

bool MemoryBudget::Grant(LeaseState& lease) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t free = FreeBytes();
  if (lease.bytes > free) return false;
  outside_bytes_ = limit_bytes_ - promised_bytes_ - free;
  promised_bytes_ += lease.bytes;
  lease.open = true;
  open_.push_back(&lease);
  return true;
}

void MemoryBudget::Close(LeaseState& lease) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!lease.open) return;
  lease.open = false;
  open_.remove(&lease);
  promised_bytes_ -= lease.bytes;
  // A device does not tell whose its tensors are: at most all of the lease stays. Exact again when no run is under way.
  outside_bytes_ = memory_ ? std::min(memory_->allocated_bytes(), outside_bytes_ + lease.bytes)
                           : outside_bytes_ + std::min(lease.used, lease.bytes);  // beyond it they are counted
  changed_.notify_all();
}

std::optional<MemoryLease> MemoryBudget::TryLease(LeaseAsk& ask) {
  const auto state = std::make_shared<LeaseState>();
  state->who = ask.who;
  state->bytes = std::max<int64_t>(0, ask.bytes);
  MemoryLease lease;
  if (!Grant(*state) && !EvictFor(*state, ask.owner, lease.evicted_)) return std::nullopt;
  lease.account_ = {shared_from_this(), state};
  lease.held_ = std::move(ask.held);
  lease.held_bytes_ = ask.held_bytes;
  std::lock_guard<std::mutex> lock(reclaimers_mutex_);
  const auto own = std::find_if(reclaimers_.begin(), reclaimers_.end(),
                                [&](const Reclaimer& reclaimer) { return reclaimer.owner == ask.owner; });
  if (own != reclaimers_.end()) reclaimers_.splice(reclaimers_.end(), reclaimers_, own);
  return lease;
}

absl::StatusOr<MemoryLease> MemoryBudget::Lease(const AskFor& ask, const RunOptions& run, double most_wait_s) {
  const auto end = LeaseClock::now() + std::chrono::duration_cast<LeaseClock::duration>(
                                           std::chrono::duration<double>(std::clamp(most_wait_s, 0.0, 1e6)));
  ProgressReporter waiting(run);
  std::unique_lock<std::mutex> lock(mutex_);
  const bool nested = WorksUnderLeaseOf(this);
  const auto place = line_.insert(nested ? line_.begin() : line_.end(), false);
  // Leaves the line also when an ask throws, or the caller's progress. Takes no memory itself.
  struct Leave {
    MemoryBudget& budget;
    std::unique_lock<std::mutex>& lock;
    const std::list<bool>::iterator place;
    ~Leave() {
      if (!lock.owns_lock()) lock.lock();
      budget.line_.erase(place);
      budget.changed_.notify_all();
    }
  } const leave{*this, lock, place};
  while (true) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const bool late = LeaseClock::now() >= end;
    // Nobody waits for who is away: a callback may take its time, or call this budget itself.
    if (std::find(line_.begin(), place, false) == place || nested || late) {
      const bool others_ran = !open_.empty();
      const int64_t limit = limit_bytes_;
      lock.unlock();
      GRYM_ASSIGN_OR_RETURN(LeaseAsk wanted, ask(limit));
      if (std::optional<MemoryLease> lease = TryLease(wanted)) return *std::move(lease);
      wanted.held.clear();
      lock.lock();
      const bool others_run = !open_.empty();
      lock.unlock();
      // A run that ended just now may have given back what was missing: then once more.
      if (nested || (!others_ran && !others_run)) return LeaseOfWhatIsFree(ask, wanted);
      if (late && others_run) return Refused(wanted);
      lock.lock();
      if (!others_run) continue;
    }
    *place = true;
    lock.unlock();
    waiting.Report(0, kWaitingForMemory);
    lock.lock();
    *place = false;
    changed_.wait_until(lock, std::min(end, LeaseClock::now() + kLookAgain));
  }
}

// Nothing that is under way will give anything back: the run is planned for what there is.
absl::StatusOr<MemoryLease> MemoryBudget::LeaseOfWhatIsFree(const AskFor& ask, const LeaseAsk& refused) {
  absl::StatusOr<LeaseAsk> wanted = ask(free_bytes() + IdleBytes());
  if (!wanted.ok()) return ErrorCode(wanted.status()) == "over_budget" ? Refused(refused) : wanted.status();
  if (std::optional<MemoryLease> lease = TryLease(*wanted)) return *std::move(lease);
  return Refused(refused);
}

absl::Status MemoryBudget::Refused(const LeaseAsk& ask) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string text = Formatted("%s: want %d bytes on %s, the budget is %d, of which %d are free", Printable(ask.who),
                               ask.bytes, device_, limit_bytes_, FreeBytes());
  for (const LeaseState* lease : open_) text += Formatted("; %s runs with %d", Printable(lease->who), lease->bytes);
  if (outside_bytes_ > 0) text += Formatted("; loaded weights and kept results take %d", outside_bytes_);
  return Error(absl::StatusCode::kResourceExhausted, "over_budget", text);
}

MemoryLease& MemoryLease::operator=(MemoryLease&& other) noexcept {
  if (this == &other) return *this;
  Release();
  account_ = std::move(other.account_);
  held_ = std::move(other.held_);
  held_bytes_ = other.held_bytes_;
  evicted_ = std::move(other.evicted_);
  return *this;
}

int64_t MemoryLease::bytes() const { return account_.lease ? account_.lease->bytes : 0; }

int64_t MemoryLease::peak_bytes() const {
  if (!account_.lease) return 0;
  if (account_.budget->memory_) return account_.budget->peak_bytes();
  std::lock_guard<std::mutex> lock(account_.budget->mutex_);
  return held_bytes_ + account_.lease->peak;
}

void MemoryLease::Release() {
  if (!account_.lease) return;
  held_.clear();  // first: who looks again when the lease ends shall find idle what is idle
  account_.budget->Close(*account_.lease);
  account_ = {};
}

}  // namespace grym
