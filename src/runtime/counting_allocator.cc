#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "runtime/memory_budget.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace grym {
namespace {

thread_local MemoryAccount current_account;

// Who pays for a block. A table beside the blocks and no header in them: LibTorch frees blocks of the allocator before
// ours through the one in force, and its raw interface wants the block's own address.
class PayerTable {
 public:
  struct Payer {
    MemoryAccount account;
    int64_t bytes = 0;
  };
  void Add(const void* block, Payer payer) {
    Shard& shard = ShardOf(block);
    std::lock_guard<std::mutex> lock(shard.mutex);
    shard.payers[block] = std::move(payer);
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  Payer Take(const void* block) {
    if (count_.load(std::memory_order_relaxed) == 0) return {};
    Shard& shard = ShardOf(block);
    std::lock_guard<std::mutex> lock(shard.mutex);
    const auto found = shard.payers.find(block);
    if (found == shard.payers.end()) return {};
    Payer payer = std::move(found->second);
    shard.payers.erase(found);
    count_.fetch_sub(1, std::memory_order_relaxed);
    return payer;
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<const void*, Payer> payers;
  };
  Shard& ShardOf(const void* block) { return shards_[(reinterpret_cast<uintptr_t>(block) >> 6) % shards_.size()]; }
  std::array<Shard, 16> shards_;
  std::atomic<int64_t> count_{0};
};

PayerTable& Payers() {
  static PayerTable* const table = new PayerTable;  // never destroyed: tensors of the host may outlive every static
  return *table;
}

void FreeBlock(void* block) {
  if (!block) return;
  const PayerTable::Payer payer = Payers().Take(block);
  c10::free_cpu(block);
  const MemoryAccount& account = payer.account;
  if (account.budget) account.budget->GiveBack(account.lease.get(), payer.bytes);
}

constexpr size_t kHugePage = size_t{2} << 20;

// A block of several huge pages is asked to lie on such: a page fault for 2 MiB in place of 512 of them.
void* TakeBlock(size_t bytes) {
#ifdef __linux__
  if (bytes >= 2 * kHugePage) {
    void* block = nullptr;
    if (posix_memalign(&block, kHugePage, bytes) != 0) return nullptr;
    madvise(block, bytes, MADV_HUGEPAGE);
    return block;
  }
#endif
  return c10::alloc_cpu(bytes);
}

class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &FreeBlock, cpu};
    const MemoryAccount& account = current_account;
    const bool counts = account.budget && account.budget->counts_cpu();
    const int64_t counted = AllocatedBytes(static_cast<int64_t>(bytes));
    if (counts && !account.budget->Take(account.lease.get(), counted)) {
      TORCH_CHECK_WITH(OutOfMemoryError, false, "want ", counted, " bytes more, have ",
                       account.budget->LeftText(account.lease.get()), " left");
    }
    void* block = nullptr;
    try {
      block = counts ? TakeBlock(bytes) : c10::alloc_cpu(bytes);
      if (block && counts) Payers().Add(block, {account, counted});
    } catch (...) {
      if (block) c10::free_cpu(block);
      block = nullptr;
    }
    if (!block) {
      if (counts) account.budget->GiveBack(account.lease.get(), counted);
      TORCH_CHECK_WITH(OutOfMemoryError, false, "want ", bytes, " bytes, and the machine has them not");
    }
    return {block, block, &FreeBlock, cpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &FreeBlock; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

void InstallAllocator() {
  // The static in the function makes it once; LibTorch keeps the pointer for the life of the process.
  static const bool installed = [] {
    c10::SetCPUAllocator(new CountingAllocator, /*priority=*/1);
    return true;
  }();
  (void)installed;
}

}  // namespace

BudgetScope::BudgetScope(MemoryAccount account) : outer_(std::move(current_account)) {
  InstallAllocator();
  current_account = std::move(account);
}

BudgetScope::~BudgetScope() { current_account = std::move(outer_); }

MemoryAccount BudgetScope::Current() { return current_account; }

}  // namespace grym
