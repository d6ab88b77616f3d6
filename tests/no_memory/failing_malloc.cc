#include "no_memory/failing_malloc.h"

#ifdef __GLIBC__
#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

// Seen by the shared libraries that the program is linked with, whatever our own visibility is.
#define GRYM_REPLACES extern "C" __attribute__((visibility("default"), noinline))

namespace grym::testing {
namespace {

std::atomic<bool> g_counting{false};
std::atomic<bool> g_for_good{false};
std::atomic<int64_t> g_nth{0}, g_counted{0}, g_refused{0}, g_live{0};

// Where the code lies whose requests count.
struct CodeRange {
  uintptr_t begin, end;
};
constexpr int kMaxRanges = 32;
CodeRange g_ranges[kMaxRanges];
int g_range_count = 0;

constexpr const char* kCountedLibraries[] = {"libgrymsynth", "libsqlite3", "libsamplerate"};

int NoteLibrary(dl_phdr_info* info, size_t, void*) {
  bool counted = false;
  for (const char* name : kCountedLibraries) counted = counted || std::strstr(info->dlpi_name, name);
  for (int i = 0; counted && i < info->dlpi_phnum && g_range_count < kMaxRanges; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    g_ranges[g_range_count++] = {begin, begin + segment.p_memsz};
  }
  return 0;
}

bool Counts(const void* caller) {
  const auto place = reinterpret_cast<uintptr_t>(caller);
  for (int i = 0; i < g_range_count; ++i) {
    if (place >= g_ranges[i].begin && place < g_ranges[i].end) return true;
  }
  return false;
}

// Counts a request; true when it must be refused.
bool Refuse() {
  const int64_t number = g_counted.fetch_add(1, std::memory_order_relaxed) + 1;
  const int64_t nth = g_nth.load(std::memory_order_relaxed);
  const bool refuse = nth > 0 && (number == nth || (number > nth && g_for_good.load(std::memory_order_relaxed)));
  if (refuse) g_refused.fetch_add(1, std::memory_order_relaxed);
  return refuse;
}
bool RefuseFor(const void* caller) {
  if (!g_counting.load(std::memory_order_relaxed)) return false;
  return Counts(caller) && Refuse();
}

// The next in line: glibc's, or a sanitizer's. dlsym itself allocates a little before it is there.
alignas(16) char g_early[1 << 16];
std::atomic<size_t> g_early_used{0};
void* EarlyBytes(size_t bytes) {
  const size_t at = g_early_used.fetch_add((bytes + 15) / 16 * 16);
  return at + bytes <= sizeof(g_early) ? g_early + at : nullptr;
}
bool IsEarly(const void* block) { return block >= g_early && block < g_early + sizeof(g_early); }

struct RealFunctions {
  void* (*malloc)(size_t) = nullptr;
  void* (*calloc)(size_t, size_t) = nullptr;
  void* (*realloc)(void*, size_t) = nullptr;
  void* (*aligned_alloc)(size_t, size_t) = nullptr;
  int (*posix_memalign)(void**, size_t, size_t) = nullptr;
  void (*free)(void*) = nullptr;
  bool looking = false;
};
RealFunctions g_real;

template <class Function>
void Look(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// False while they are being looked up.
bool HaveReal() {
  if (g_real.free) return true;
  if (g_real.looking) return false;
  g_real.looking = true;
  Look(g_real.malloc, "malloc");
  Look(g_real.calloc, "calloc");
  Look(g_real.realloc, "realloc");
  Look(g_real.aligned_alloc, "aligned_alloc");
  Look(g_real.posix_memalign, "posix_memalign");
  Look(g_real.free, "free");
  return true;
}

// Early blocks never come back, so they are not counted.
void* Counted(void* block) {
  if (block) g_live.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* RealMalloc(size_t bytes) { return HaveReal() ? Counted(g_real.malloc(bytes)) : EarlyBytes(bytes); }

// Every C++ allocation counts, whoever asks: std containers are instantiated anywhere.
void* NewBytes(size_t bytes, size_t alignment) {
  if (g_counting.load(std::memory_order_relaxed) && Refuse()) return nullptr;
  if (bytes == 0) bytes = 1;
  if (alignment <= alignof(std::max_align_t)) return RealMalloc(bytes);
  HaveReal();
  return Counted(g_real.aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
}
void* NewOrThrow(size_t bytes, size_t alignment) {
  if (void* block = NewBytes(bytes, alignment)) return block;
  throw std::bad_alloc();
}

}  // namespace

bool MallocCanFail() { return true; }

void FailAllocation(int64_t nth, bool for_good) {
  if (g_range_count == 0) dl_iterate_phdr(&NoteLibrary, nullptr);
  g_nth = nth;
  g_for_good = for_good;
  g_counted = 0;
  g_refused = 0;
  g_counting = true;
}

int64_t StopFailing(int64_t* refused) {
  g_counting = false;
  if (refused) *refused = g_refused;
  return g_counted;
}


int64_t LiveBlocks() { return g_live.load(std::memory_order_relaxed); }

}  // namespace grym::testing

using namespace grym::testing;  // NOLINT: what follows must stand outside of every namespace

GRYM_REPLACES void* malloc(size_t bytes) {
  if (RefuseFor(__builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return RealMalloc(bytes);
}
GRYM_REPLACES void* calloc(size_t count, size_t bytes) {
  if (RefuseFor(__builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return HaveReal() ? Counted(g_real.calloc(count, bytes)) : EarlyBytes(count * bytes);
}
GRYM_REPLACES void* realloc(void* block, size_t bytes) {
  if (RefuseFor(__builtin_return_address(0))) return errno = ENOMEM, nullptr;
  if (!block) return RealMalloc(bytes);
  if (!IsEarly(block)) {
    if (!HaveReal()) return nullptr;
    void* moved = g_real.realloc(block, bytes);
    if (!moved && bytes == 0) g_live.fetch_sub(1, std::memory_order_relaxed);
    return moved;
  }
  void* moved = RealMalloc(bytes);
  const auto at = static_cast<size_t>(static_cast<char*>(block) - g_early);
  if (moved) std::memcpy(moved, block, std::min(bytes, sizeof(g_early) - at));
  return moved;
}
GRYM_REPLACES void* aligned_alloc(size_t alignment, size_t bytes) {
  if (RefuseFor(__builtin_return_address(0))) return errno = ENOMEM, nullptr;
  HaveReal();
  return Counted(g_real.aligned_alloc(alignment, bytes));
}
GRYM_REPLACES void* memalign(size_t alignment, size_t bytes) { return aligned_alloc(alignment, bytes); }
GRYM_REPLACES int posix_memalign(void** out, size_t alignment, size_t bytes) {
  if (RefuseFor(__builtin_return_address(0))) return ENOMEM;
  HaveReal();
  const int failed = g_real.posix_memalign(out, alignment, bytes);
  if (!failed) Counted(*out);
  return failed;
}
GRYM_REPLACES void free(void* block) {
  if (!block || IsEarly(block) || !HaveReal()) return;
  g_live.fetch_sub(1, std::memory_order_relaxed);
  g_real.free(block);
}

#define GRYM_NEW __attribute__((visibility("default")))
GRYM_NEW void* operator new(size_t bytes) { return NewOrThrow(bytes, 1); }
GRYM_NEW void* operator new[](size_t bytes) { return NewOrThrow(bytes, 1); }
GRYM_NEW void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return NewBytes(bytes, 1); }
GRYM_NEW void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return NewBytes(bytes, 1); }
GRYM_NEW void* operator new(size_t bytes, std::align_val_t to) { return NewOrThrow(bytes, static_cast<size_t>(to)); }
GRYM_NEW void* operator new[](size_t bytes, std::align_val_t to) { return NewOrThrow(bytes, static_cast<size_t>(to)); }
GRYM_NEW void operator delete(void* block) noexcept { free(block); }
GRYM_NEW void operator delete[](void* block) noexcept { free(block); }
GRYM_NEW void operator delete(void* block, size_t) noexcept { free(block); }
GRYM_NEW void operator delete[](void* block, size_t) noexcept { free(block); }
GRYM_NEW void operator delete(void* block, const std::nothrow_t&) noexcept { free(block); }
GRYM_NEW void operator delete[](void* block, const std::nothrow_t&) noexcept { free(block); }
GRYM_NEW void operator delete(void* block, std::align_val_t) noexcept { free(block); }
GRYM_NEW void operator delete[](void* block, std::align_val_t) noexcept { free(block); }
GRYM_NEW void operator delete(void* block, size_t, std::align_val_t) noexcept { free(block); }
GRYM_NEW void operator delete[](void* block, size_t, std::align_val_t) noexcept { free(block); }

#else  // no glibc

namespace grym::testing {
bool MallocCanFail() { return false; }
void FailAllocation(int64_t, bool) {}
int64_t StopFailing(int64_t* refused) {
  if (refused) *refused = 0;
  return 0;
}
int64_t LiveBlocks() { return 0; }
}  // namespace grym::testing
#endif
